/** The labels of the actions, and the commands made from their forms. */

import type { CompletionStatus } from '../gql/graphql'
import type { Command } from './mutate'
import type { Assignment } from './queries'
import type { Action } from './rules'

/** An engineer's actions on their own assignments; they work offline. */
export type EngineerAction = 'ACCEPT' | 'START' | 'COMPLETE' | 'REJECT'

/** In the order of the buttons. */
const LABELS: Record<Action, { key: string; verb: string; done: string }> = {
  ASSIGN: { key: 'a', verb: 'Assign', done: 'Ticket assigned' },
  ACCEPT: { key: 'y', verb: 'Accept', done: 'Assignment accepted' },
  START: { key: 's', verb: 'Start', done: 'Work started' },
  COMPLETE: { key: 'c', verb: 'Complete', done: 'Assignment completed' },
  ESCALATE: { key: 'e', verb: 'Escalate', done: 'Ticket escalated' },
  REASSIGN: { key: 'r', verb: 'Reassign', done: 'Ticket reassigned' },
  REJECT: { key: 'n', verb: 'Reject', done: 'Assignment rejected' },
  CANCEL: { key: 'x', verb: 'Cancel', done: 'Assignment cancelled' },
  RATE: { key: 't', verb: 'Rate', done: 'Rating saved' },
  CORRECT: { key: 'h', verb: 'Correct hours', done: 'Hours corrected' },
}
export const labelsOf = (action: Action) => LABELS[action]
export const ACTIONS = (Object.keys(LABELS) as Action[]).map((action) => ({ action, ...LABELS[action] }))

/** Whether the action needs no form. */
export const isOneClick = (action: Action): action is 'ACCEPT' | 'START' =>
  action === 'ACCEPT' || action === 'START'

const text = (form: FormData, name: string) => String(form.get(name) ?? '')

export function engineerCommand(
  action: EngineerAction,
  assignmentId: string,
  form = new FormData(),
): Command<EngineerAction> {
  const value = (name: string) => text(form, name)
  switch (action) {
    case 'ACCEPT':
    case 'START':
      return { action, input: { assignmentId } }
    case 'REJECT':
      return { action, input: { assignmentId, reason: value('reason') } }
    case 'COMPLETE':
      return {
        action,
        input: {
          assignmentId,
          completionStatus: value('completionStatus') as CompletionStatus,
          timeSpentHours: value('timeSpentHours'),
          diagnosis: value('diagnosis'),
          actionsTaken: value('actionsTaken'),
          notes: value('notes'),
          partsUsed: partsOf(form),
        },
      }
  }
}

function partsOf(form: FormData) {
  const parts = []
  for (let i = 0; form.has(`partsUsed.${i}.partNumber`); i++) {
    const value = (name: string) => text(form, `partsUsed.${i}.${name}`)
    parts.push({
      partNumber: value('partNumber'),
      partName: value('partName'),
      quantity: Number(value('quantity')),
      cost: value('cost'),
    })
  }
  return parts
}

/** `expectedSequence` is the highest one shown: the server rejects the command if there is a newer assignment. */
export function commandFrom(
  action: Action,
  ticketId: string,
  assignment: Assignment | undefined,
  expectedSequence: number,
  form: FormData,
): Command {
  const value = (name: string) => text(form, name)
  const assignmentId = assignment?.id ?? ''
  const ticket = { ticketId, expectedSequence }
  const reason = value('reason')
  switch (action) {
    case 'ASSIGN': {
      const engineerId = value('engineerId')
      return { action, input: { ...ticket, engineerId, tier: Number(value('tier')), reason } }
    }
    case 'ESCALATE': {
      // Without them, the server's rule chooses.
      const nextEngineerId = value('nextEngineerId') || null
      return {
        action,
        input: { ...ticket, nextEngineerId, nextTier: Number(value('nextTier')) || null, reason },
      }
    }
    case 'REASSIGN':
      return { action, input: { ...ticket, engineerId: value('engineerId'), reason } }
    case 'CANCEL':
      return { action, input: { assignmentId, reason } }
    case 'RATE':
      return { action, input: { assignmentId, rating: Number(value('rating')), feedback: value('feedback') } }
    case 'CORRECT':
      return { action, input: { assignmentId, timeSpentHours: value('timeSpentHours'), reason } }
    default:
      return engineerCommand(action, assignmentId, form)
  }
}
