import type { AssignmentStatus, Role, TicketStatus } from '../gql/graphql'
import table from './rules.json'

/** The server's own tables of who may do what from where, printed by `make fix` and compared in its tests. */
const rules = table as {
  tiers: Record<string, string>
  takesNoAssignment: TicketStatus[]
  allowedFrom: Record<keyof typeof table.allowedFrom, AssignmentStatus[]>
  may: Record<Role, Record<Action, 'NONE' | 'OWN' | 'ALL'>>
}

/** What is done to a ticket: to an assignment that there is, or by opening the first. */
export type Action = 'ASSIGN' | keyof typeof table.allowedFrom
export const TIERS = Object.entries(rules.tiers).map(([tier, name]) => ({ tier: Number(tier), name }))
const TOP_TIER = Math.max(...TIERS.map(({ tier }) => tier))

type Person = { role: Role; engineer: { id: string } | null }
type Held = { status: AssignmentStatus; assignmentTier: number; engineer: { id: string } }

/** Whether `person` may do `action` now: to the assignment, or to a ticket that nobody holds. The server has the last word. */
export function isLegal(
  action: Action,
  person: Person,
  ticket: { status: TicketStatus },
  held: Held | undefined,
): boolean {
  const reach = rules.may[person.role][action]
  if (reach === 'NONE' || (reach === 'OWN' && held?.engineer.id !== person.engineer?.id)) return false
  if (opensNext(action) && rules.takesNoAssignment.includes(ticket.status)) return false
  if (action === 'ASSIGN') return !held
  if (!held || (action === 'ESCALATE' && held.assignmentTier >= TOP_TIER)) return false
  return rules.allowedFrom[action].includes(held.status)
}

/** What is done to an assignment that has ended. */
export const isAfterwards = (action: Action): action is 'RATE' | 'CORRECT' =>
  action === 'RATE' || action === 'CORRECT'

/** The actions that give the ticket to the next engineer. */
export const opensNext = (action: Action): action is 'ASSIGN' | 'ESCALATE' | 'REASSIGN' =>
  action === 'ASSIGN' || action === 'ESCALATE' || action === 'REASSIGN'
