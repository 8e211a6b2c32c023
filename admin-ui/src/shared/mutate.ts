/** Doing something to a ticket: the wish, its one way to the API, and what an answer means. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRef } from 'react'
import * as gql from '../gql/graphql'
import { ApiError, execute } from './api'
import { keepTicket, type Ticket } from './queries'
import type { Action } from './rules'

interface Inputs {
  ASSIGN: gql.AssignTicketInput
  ESCALATE: gql.EscalateTicketInput
  REASSIGN: gql.ReassignTicketInput
  ACCEPT: gql.AcceptAssignmentInput
  REJECT: gql.RejectAssignmentInput
  START: gql.StartAssignmentInput
  COMPLETE: gql.CompleteAssignmentInput
  CANCEL: gql.CancelAssignmentInput
  RATE: gql.RateAssignmentInput
  CORRECT: gql.CorrectTimeSpentInput
}

/** What somebody wants done: an action with the input of its mutation, but for the idempotency key. */
export type Wish<A extends Action = Action> = { [K in A]: { action: K; input: Inputs[K] } }[A]

type Answer =
  | gql.AssignTicketMutation['result']
  | gql.EscalateTicketMutation['result']
  | gql.ReassignTicketMutation['result']
  | gql.AcceptAssignmentMutation['result']
  | gql.RejectAssignmentMutation['result']
  | gql.StartAssignmentMutation['result']
  | gql.CompleteAssignmentMutation['result']
  | gql.CancelAssignmentMutation['result']
  | gql.RateAssignmentMutation['result']
  | gql.CorrectTimeSpentMutation['result']

const DOCUMENTS: {
  [A in Action]: gql.TypedDocumentString<{ result: Answer }, { input: Inputs[A] }>
} = {
  ASSIGN: gql.AssignTicketDocument,
  ESCALATE: gql.EscalateTicketDocument,
  REASSIGN: gql.ReassignTicketDocument,
  ACCEPT: gql.AcceptAssignmentDocument,
  REJECT: gql.RejectAssignmentDocument,
  START: gql.StartAssignmentDocument,
  COMPLETE: gql.CompleteAssignmentDocument,
  CANCEL: gql.CancelAssignmentDocument,
  RATE: gql.RateAssignmentDocument,
  CORRECT: gql.CorrectTimeSpentDocument,
}

/** `conflict` says that the ticket is no longer as it was seen; `refused`, that sending this again is no use. */
export type Verdict =
  | { kind: 'done'; ticket: Ticket }
  | { kind: 'invalid'; field: string; problem: string; message: string }
  | { kind: 'conflict'; message: string }
  | { kind: 'refused'; message: string }

function verdict(answer: Answer): Verdict {
  switch (answer.__typename) {
    case 'Assignment':
      return { kind: 'done', ticket: answer.ticket }
    case 'InvalidInput':
      return { kind: 'invalid', field: answer.field, problem: answer.problem, message: answer.message }
    case 'StaleSequence':
    case 'TicketAlreadyAssigned':
    case 'NoCurrentAssignment':
    case 'SameEngineer':
    case 'TicketNotOpen':
    case 'TransitionNotAllowed':
      return { kind: 'conflict', message: answer.message }
    case 'TicketNotFound':
    case 'AssignmentNotFound':
    case 'EngineerNotFound':
    case 'EngineerInactive':
    case 'NoHigherTier':
    case 'TierNotHigher':
    case 'Forbidden':
    case 'IdempotencyKeyReused':
      return { kind: 'refused', message: answer.message }
    default:
      // Does not compile when a union of the API gets a member that has no case.
      return answer satisfies never
  }
}

/** Sent again with the same key, it is not done twice. Throws ApiError. */
export async function act<A extends Action>(
  wish: Wish<A>,
  idempotencyKey: string,
  options?: { signal: AbortSignal },
): Promise<Verdict> {
  const input = { ...wish.input, idempotencyKey }
  const { result } = await execute(DOCUMENTS[wish.action], { input }, options)
  return verdict(result)
}

/** Not crypto.randomUUID, which browsers withhold from pages that come over plain http. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  )

/** Sends wishes about one ticket. A wish that is sent again unchanged, by itself or by hand, keeps its key. */
export function useAct(ticketId: string) {
  const client = useQueryClient()
  const sent = useRef({ wish: '', key: '' })
  return useMutation({
    mutationFn: (wish: Wish) => {
      const asText = JSON.stringify(wish)
      if (sent.current.wish !== asText) sent.current = { wish: asText, key: newKey() }
      return act(wish, sent.current.key)
    },
    retry: (count, error) => error instanceof ApiError && error.passes && count < 2,
    onSuccess: async (verdict) => {
      if (verdict.kind === 'done') keepTicket(client, verdict.ticket)
      else if (verdict.kind !== 'invalid') {
        void client.invalidateQueries({ queryKey: ['engineers'] })
        await client.invalidateQueries({ queryKey: ['ticket', ticketId] })
      }
    },
  })
}
