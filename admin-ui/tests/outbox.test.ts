import { QueryClient } from '@tanstack/react-query'
import { beforeEach, expect, test, vi } from 'vitest'
import type { EngineerAction } from '../src/shared/actions'
import type { Command } from '../src/shared/mutate'

interface SentRequest {
  operation: string
  assignmentId: string
  key: string
}

const TICKET_1 = { id: 't1', ticketNumber: 'T-1' }
const TICKET_2 = { id: 't2', ticketNumber: 'T-2' }
const INVALID = {
  __typename: 'InvalidInput',
  field: 'reason',
  problem: 'must not be empty',
  message: 'Empty.',
}
const REFUSED = { __typename: 'TransitionNotAllowed', message: 'Cannot accept.' }

let sent: SentRequest[]
/** The result of each operation; 'offline' rejects the request, an object with `code` is a GraphQL error. */
let results: Record<string, 'offline' | { code: string } | { __typename: string }>

async function fakeFetch(_: string, init: { body: string }): Promise<Response> {
  const { query, variables } = JSON.parse(init.body)
  const operation: string = /mutation (\w+)/.exec(query)?.[1] ?? ''
  const { assignmentId, idempotencyKey: key } = variables.input
  sent.push({ operation, assignmentId, key })
  if (sent.length > 20) throw new Error('The outbox sends too often') // ends an endless loop
  const result = results[operation]
  if (result === 'offline') throw new TypeError('Failed to fetch')
  if (result && 'code' in result)
    return Response.json({ errors: [{ message: 'Failed.', extensions: { code: result.code } }] })
  const ticket = { id: 't', updatedAt: '2026-01-01T12:00:00Z', assignmentHistory: [] }
  return Response.json({ data: { result: result ?? { __typename: 'Assignment', id: assignmentId, ticket } } })
}

const accept = (assignmentId: string): Command<EngineerAction> => ({
  action: 'ACCEPT',
  input: { assignmentId },
})
const start = (assignmentId: string): Command<EngineerAction> => ({
  action: 'START',
  input: { assignmentId },
})
const reject = (assignmentId: string, reason: string): Command<EngineerAction> => ({
  action: 'REJECT',
  input: { assignmentId, reason },
})

/** Opens the outbox in a new tab and starts to send. */
async function open(subject = 'ana') {
  const { Outbox } = await import('../src/features/my-work/outbox')
  const outbox = new Outbox(subject, new QueryClient())
  const stop = outbox.start()
  await settle()
  return { outbox, stop }
}

const settle = () => vi.advanceTimersByTimeAsync(0)
const operations = () => sent.map(({ operation }) => operation)

beforeEach(() => {
  vi.stubGlobal('fetch', vi.fn(fakeFetch))
  sent = []
  results = {}
})

test('commands are sent in order and removed when they are done', async () => {
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  outbox.add(accept('a2'), TICKET_2)
  expect(outbox.getState().items).toHaveLength(3)
  await settle()
  expect(sent.map(({ operation, assignmentId }) => [operation, assignmentId])).toEqual([
    ['AcceptAssignment', 'a1'],
    ['StartAssignment', 'a1'],
    ['AcceptAssignment', 'a2'],
  ])
  expect(new Set(sent.map(({ key }) => key)).size).toBe(3)
  expect(outbox.getState()).toEqual({ items: [], isUnreachable: false })
})

test('an unreachable server is retried with backoff and the same idempotency key', async () => {
  results = { AcceptAssignment: 'offline' }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  await settle()
  expect(outbox.getState().isUnreachable).toBe(true)
  expect(sent).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1000)
  expect(sent).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1999)
  expect(sent).toHaveLength(2)
  results = {}
  await vi.advanceTimersByTimeAsync(1)
  expect(operations()).toEqual([...Array(3).fill('AcceptAssignment'), 'StartAssignment'])
  expect(new Set(sent.map(({ key }) => key)).size).toBe(2)
  expect(outbox.getState()).toEqual({ items: [], isUnreachable: false })

  results = { AcceptAssignment: 'offline' }
  outbox.add(accept('a2'), TICKET_2)
  await vi.advanceTimersByTimeAsync(1000)
  expect(sent).toHaveLength(6) // the backoff starts again
})

test.each([
  [0, 1000],
  [1, 2000],
  [4, 16_000],
  [5, 30_000],
  [50, 30_000],
])('after %i failures the delay is %i ms', async (failures, delay) => {
  const { retryDelay } = await import('../src/features/my-work/outbox')
  expect(retryDelay(failures)).toBe(delay)
})

test('commands are sent at once when the network is back', async () => {
  results = { AcceptAssignment: 'offline' }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  await settle()
  results = {}
  dispatchEvent(new Event('online'))
  await settle()
  expect(sent).toHaveLength(2)
  expect(outbox.getState().items).toEqual([])
})

test('a refusal blocks the other commands of its ticket only', async () => {
  results = { AcceptAssignment: REFUSED }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  outbox.add(start('a2'), TICKET_2)
  await settle()
  expect(operations()).toEqual(['AcceptAssignment', 'StartAssignment'])
  expect(sent[1]?.assignmentId).toBe('a2')
  const [refused, blocked] = outbox.getState().items
  expect(refused?.refusal).toEqual({ kind: 'conflict', message: 'Cannot accept.' })
  expect(blocked).toMatchObject({ command: start('a1'), refusal: null })
})

test('a retry keeps the idempotency key and unblocks the ticket', async () => {
  results = { AcceptAssignment: REFUSED }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  await settle()
  results = {}
  const [refused] = outbox.getState().items
  if (refused) outbox.retry(refused)
  await settle()
  expect(operations()).toEqual(['AcceptAssignment', 'AcceptAssignment', 'StartAssignment'])
  expect(sent[1]?.key).toBe(sent[0]?.key)
  expect(outbox.getState().items).toEqual([])
})

test('a corrected command gets a new idempotency key', async () => {
  results = { RejectAssignment: INVALID }
  const { outbox } = await open()
  outbox.add(reject('a1', ' '), TICKET_1)
  await settle()
  const [refused] = outbox.getState().items
  expect(refused?.refusal).toMatchObject({ kind: 'invalid', field: 'reason' })
  results = {}
  if (refused) outbox.retry(refused, reject('a1', 'Not trained'))
  await settle()
  expect(sent[1]?.key).not.toBe(sent[0]?.key)
  expect(outbox.getState().items).toEqual([])
})

test('discarding a refused command removes the other commands of its ticket', async () => {
  results = { AcceptAssignment: REFUSED }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  outbox.add(accept('a2'), TICKET_2)
  await settle()
  const [refused] = outbox.getState().items
  if (refused) outbox.discard(refused)
  expect(outbox.getState().items.map(({ ticketId }) => ticketId)).toEqual(['t2'])
})

test.each([
  ['BAD_USER_INPUT', 'refused', false],
  ['QUERY_TOO_LARGE', 'refused', false],
  ['INTERNAL', undefined, true],
  ['UNAVAILABLE', undefined, true],
])('an error %s is %s', async (code, kind, isUnreachable) => {
  results = { AcceptAssignment: { code } }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  await settle()
  expect(outbox.getState().items[0]?.refusal?.kind).toBe(kind)
  expect(outbox.getState().isUnreachable).toBe(isUnreachable)
})

test('commands survive a reload and are sent by their person only', async () => {
  results = { AcceptAssignment: 'offline' }
  const { outbox, stop } = await open('ana')
  outbox.add(accept('a1'), TICKET_1)
  await settle()
  stop()
  results = {}
  await open('ben')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(sent).toHaveLength(1)
  await open('ana')
  expect(sent).toHaveLength(2)
  expect(sent[1]?.key).toBe(sent[0]?.key)
})

test('tabs share the stored commands', async () => {
  results = { AcceptAssignment: 'offline' }
  const first = await open()
  const second = await open()
  first.outbox.add(accept('a1'), TICKET_1)
  second.outbox.add(accept('a2'), TICKET_2)
  expect(second.outbox.getState().items).toHaveLength(2)
  expect(first.outbox.getState().items).toHaveLength(1)
  dispatchEvent(Object.assign(new Event('storage'), { key: 'baton.outbox ana' }))
  expect(first.outbox.getState().items).toHaveLength(2)
})

test('commands stored by an earlier version are sent', async () => {
  const stored = { key: 'k', wish: accept('a1'), ticketId: 't1', ticketNumber: 'T-1', refusal: null } // language: quoted
  localStorage.setItem('baton.outbox ana', JSON.stringify([stored]))
  await open()
  expect(sent).toEqual([{ operation: 'AcceptAssignment', assignmentId: 'a1', key: 'k' }])
})
