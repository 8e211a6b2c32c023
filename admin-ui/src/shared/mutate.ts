/** The mutations of tickets and assignments, and their outcomes. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRef } from 'react'
import * as gql from '../gql/graphql'
import { ApiError, execute } from './api'
import { cacheTicket, type Ticket } from './queries'
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

/** An action and the input of its mutation, without the idempotency key. */
export type Command<A extends Action = Action> = { [K in A]: { action: K; input: Inputs[K] } }[A]

type Result =
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
  [A in Action]: gql.TypedDocumentString<{ result: Result }, { input: Inputs[A] }>
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

/** `conflict`: the ticket has changed since it was shown. `refused`: a retry would be refused, too. */
export type MutationOutcome =
  | { kind: 'done'; ticket: Ticket }
  | { kind: 'invalid'; field: string; problem: string; message: string }
  | { kind: 'conflict'; message: string }
  | { kind: 'refused'; message: string }

function outcomeOf(result: Result): MutationOutcome {
  switch (result.__typename) {
    case 'Assignment':
      return { kind: 'done', ticket: result.ticket }
    case 'InvalidInput':
      return { kind: 'invalid', field: result.field, problem: result.problem, message: result.message }
    case 'StaleSequence':
    case 'TicketAlreadyAssigned':
    case 'NoCurrentAssignment':
    case 'SameEngineer':
    case 'TicketNotOpen':
    case 'TransitionNotAllowed':
      return { kind: 'conflict', message: result.message }
    case 'TicketNotFound':
    case 'AssignmentNotFound':
    case 'EngineerNotFound':
    case 'EngineerInactive':
    case 'NoHigherTier':
    case 'TierNotHigher':
    case 'TicketChangeRejected':
    case 'Forbidden':
    case 'IdempotencyKeyReused':
      return { kind: 'refused', message: result.message }
    default:
      // Does not compile if a type of the result has no case. A newer server may have more types than this page.
      result satisfies never
      return { kind: 'refused', message: (result as { message: string }).message }
  }
}

/** Runs the mutation. Retries with the same key are safe. Throws ApiError. */
export async function mutate<A extends Action>(
  command: Command<A>,
  idempotencyKey: string,
  options?: { signal: AbortSignal },
): Promise<MutationOutcome> {
  const input = { ...command.input, idempotencyKey }
  const { result } = await execute(DOCUMENTS[command.action], { input }, options)
  return outcomeOf(result)
}

/** 128 random bits; browsers offer crypto.randomUUID only to pages served over HTTPS. */
export const newIdempotencyKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  )

/** Runs mutations of one ticket. A command that is sent again unchanged keeps its idempotency key. */
export function useTicketMutation(ticketId: string) {
  const client = useQueryClient()
  const last = useRef({ command: '', key: '' })
  return useMutation({
    mutationFn: (command: Command) => {
      const serialized = JSON.stringify(command)
      if (last.current.command !== serialized)
        last.current = { command: serialized, key: newIdempotencyKey() }
      return mutate(command, last.current.key)
    },
    retry: (count, error) => error instanceof ApiError && error.isTransient && count < 2,
    onSuccess: async (outcome) => {
      if (outcome.kind === 'done') cacheTicket(client, outcome.ticket)
      else if (outcome.kind !== 'invalid') {
        void client.invalidateQueries({ queryKey: ['engineers'] })
        await client.invalidateQueries({ queryKey: ['ticket', ticketId] })
      }
    },
  })
}
