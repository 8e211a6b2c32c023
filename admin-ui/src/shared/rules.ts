import type { AssignmentStatus, Role, TicketStatus } from '../gql/graphql'
import table from './rules.json'

/** The server's permissions and lifecycle; `make fix` generates them and a test compares them. */
const rules = table as {
  tiers: Record<string, string>
  terminalTicketStatuses: TicketStatus[]
  allowedFrom: Record<keyof typeof table.allowedFrom, AssignmentStatus[]>
  permissions: Record<Role, Record<Action, 'NONE' | 'OWN' | 'ALL'>>
}

/** An action on the current or an ended assignment, or the assignment of an unassigned ticket. */
export type Action = 'ASSIGN' | keyof typeof table.allowedFrom
export const TIERS = Object.entries(rules.tiers).map(([tier, name]) => ({ tier: Number(tier), name }))
const TOP_TIER = Math.max(...TIERS.map(({ tier }) => tier))

type Viewer = { role: Role; engineer: { id: string } | null }
type Assignment = { status: AssignmentStatus; assignmentTier: number; engineer: { id: string } }

/** Whether the viewer may do this to the assignment, or to an unassigned ticket. The server decides in the end. */
export function isAllowed(
  action: Action,
  viewer: Viewer,
  ticket: { status: TicketStatus },
  assignment: Assignment | undefined,
): boolean {
  const scope = rules.permissions[viewer.role][action]
  if (scope === 'NONE' || (scope === 'OWN' && assignment?.engineer.id !== viewer.engineer?.id)) return false
  if (createsAssignment(action) && rules.terminalTicketStatuses.includes(ticket.status)) return false
  if (action === 'ASSIGN') return !assignment
  if (!assignment || (action === 'ESCALATE' && assignment.assignmentTier >= TOP_TIER)) return false
  return rules.allowedFrom[action].includes(assignment.status)
}

/** Whether the action applies to an ended assignment. */
export const isForEnded = (action: Action): action is 'RATE' | 'CORRECT' =>
  action === 'RATE' || action === 'CORRECT'

/** Whether the action assigns the ticket to another engineer. */
export const createsAssignment = (action: Action): action is 'ASSIGN' | 'ESCALATE' | 'REASSIGN' =>
  action === 'ASSIGN' || action === 'ESCALATE' || action === 'REASSIGN'
