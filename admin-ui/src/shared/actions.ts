/** The actions in words, and how a filled-in form becomes a wish. */

import type { Work } from '../features/my-work/outbox'
import type { CompletionStatus } from '../gql/graphql'
import type { Wish } from './mutate'
import type { Turn } from './queries'
import type { Action } from './rules'

/** In the order in which they are offered. */
const WORDS: Record<Action, { key: string; verb: string; done: string }> = {
  ASSIGN: { key: 'a', verb: 'Assign', done: 'Ticket assigned' },
  ACCEPT: { key: 'y', verb: 'Accept', done: 'Assignment accepted' },
  START: { key: 's', verb: 'Start', done: 'Work started' },
  COMPLETE: { key: 'c', verb: 'Complete', done: 'Assignment completed' },
  ESCALATE: { key: 'e', verb: 'Escalate', done: 'Ticket escalated' },
  REASSIGN: { key: 'r', verb: 'Reassign', done: 'Ticket reassigned' },
  REJECT: { key: 'n', verb: 'Reject', done: 'Assignment rejected' },
  CANCEL: { key: 'x', verb: 'Cancel', done: 'Assignment cancelled' },
  RATE: { key: 't', verb: 'Rate', done: 'Rating kept' },
  CORRECT: { key: 'h', verb: 'Correct hours', done: 'Hours corrected' },
}
export const wordsOf = (action: Action) => WORDS[action]
export const ACTIONS = (Object.keys(WORDS) as Action[]).map((action) => ({ action, ...WORDS[action] }))

/** Those need nothing but the wish. */
export const isDirect = (action: Action): action is 'ACCEPT' | 'START' =>
  action === 'ACCEPT' || action === 'START'

const text = (form: FormData, name: string) => String(form.get(name) ?? '')

export function workOf(action: Work, assignmentId: string, form = new FormData()): Wish<Work> {
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
    const of = (name: string) => text(form, `partsUsed.${i}.${name}`)
    parts.push({
      partNumber: of('partNumber'),
      partName: of('partName'),
      quantity: Number(of('quantity')),
      cost: of('cost'),
    })
  }
  return parts
}

/** `expectedSequence` is the highest that was shown: whoever came in between is not overwritten. */
export function wishOf(
  action: Action,
  ticketId: string,
  turn: Turn | undefined,
  expectedSequence: number,
  form: FormData,
): Wish {
  const assignmentId = turn?.id ?? ''
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
      return workOf(action, assignmentId, form)
  }
}
