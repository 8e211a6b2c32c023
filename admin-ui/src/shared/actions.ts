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
  switch (action) {
    case 'ACCEPT':
    case 'START':
      return { action, input: { assignmentId } }
    case 'REJECT':
      return { action, input: { assignmentId, reason: text(form, 'reason') } }
    case 'COMPLETE':
      return {
        action,
        input: {
          assignmentId,
          completionStatus: text(form, 'completionStatus') as CompletionStatus,
          timeSpentHours: text(form, 'timeSpentHours'),
          diagnosis: text(form, 'diagnosis'),
          actionsTaken: text(form, 'actionsTaken'),
          notes: text(form, 'notes'),
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
  const assignmentId = assignment?.id ?? ''
  switch (action) {
    case 'ASSIGN':
      return {
        action,
        input: {
          ticketId,
          expectedSequence,
          engineerId: text(form, 'engineerId'),
          tier: Number(form.get('tier')),
          reason: text(form, 'reason'),
        },
      }
    case 'ESCALATE':
      return {
        action,
        input: {
          ticketId,
          expectedSequence,
          nextEngineerId: text(form, 'nextEngineerId'),
          nextTier: Number(form.get('nextTier')),
          reason: text(form, 'reason'),
        },
      }
    case 'REASSIGN':
      return {
        action,
        input: {
          ticketId,
          expectedSequence,
          engineerId: text(form, 'engineerId'),
          reason: text(form, 'reason'),
        },
      }
    case 'CANCEL':
      return { action, input: { assignmentId, reason: text(form, 'reason') } }
    case 'RATE':
      return {
        action,
        input: { assignmentId, rating: Number(form.get('rating')), feedback: text(form, 'feedback') },
      }
    case 'CORRECT':
      return {
        action,
        input: {
          assignmentId,
          timeSpentHours: text(form, 'timeSpentHours'),
          reason: text(form, 'reason'),
        },
      }
    default:
      return engineerCommand(action, assignmentId, form)
  }
}
