import { QueryClient } from '@tanstack/react-query'
import { beforeEach, expect, test, vi } from 'vitest'
import type { EngineerAction } from '../src/shared/actions'
import type { Command } from '../src/shared/mutate'

type FakeResult =
  | 'offline'
  | { code: string; errorId?: string; retryAfterSeconds?: number }
  | { status: number; html: string; headers?: Record<string, string> }
  | { __typename: string; message?: string }

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

const INTERNAL = { code: 'INTERNAL', errorId: 'e1' }

let sent: SentRequest[]
/** The results by assignment or operation; 'offline' rejects the request, an object with `code` is a GraphQL error. */
let results: Record<string, FakeResult>

async function fakeFetch(_: string, init: { body: string }): Promise<Response> {
  const { query, variables } = JSON.parse(init.body)
  const operation: string = /mutation (\w+)/.exec(query)?.[1] ?? ''
  const { assignmentId, idempotencyKey: key } = variables.input
  sent.push({ operation, assignmentId, key })
  if (sent.length > 200) throw new Error('The outbox sends too often') // ends an endless loop
  const result = results[assignmentId] ?? results[operation]
  if (result === 'offline') throw new TypeError('Failed to fetch')
  if (result && 'html' in result) return new Response(result.html, result)
  if (result && 'code' in result)
    return Response.json({ errors: [{ message: 'Failed.', extensions: result }] })
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
const assignments = () => sent.map(({ assignmentId }) => assignmentId)
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
  expect(outbox.getState()).toEqual({ items: [], delay: null })
})

test('an unreachable server is retried with backoff and the same idempotency key', async () => {
  results = { AcceptAssignment: 'offline' }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  await settle()
  expect(outbox.getState().delay?.code).toBe('UNREACHABLE')
  expect(sent).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1000)
  expect(sent).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1999)
  expect(sent).toHaveLength(2)
  results = {}
  await vi.advanceTimersByTimeAsync(1)
  expect(operations()).toEqual([...Array(3).fill('AcceptAssignment'), 'StartAssignment'])
  expect(new Set(sent.map(({ key }) => key)).size).toBe(2)
  expect(outbox.getState()).toEqual({ items: [], delay: null })

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

test('an edited command gets a new idempotency key', async () => {
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

test('a form that is sent again without changes keeps the idempotency key', async () => {
  results = { RejectAssignment: INTERNAL }
  const { outbox } = await open()
  outbox.add(reject('a1', 'Not trained'), TICKET_1)
  await settle()
  const [failed] = outbox.getState().items
  if (failed) outbox.retry(failed, reject('a1', 'Not trained'))
  await settle()
  expect(sent).toHaveLength(2)
  expect(sent[1]?.key).toBe(sent[0]?.key)
})

test('an edited command is sent even if another tab has discarded the refused one', async () => {
  results = { RejectAssignment: INTERNAL }
  const { outbox } = await open()
  outbox.add(reject('a1', 'Not trained'), TICKET_1)
  await settle()
  const [failed] = outbox.getState().items
  results = {}
  localStorage.setItem('baton.outbox ana', '[]')
  if (failed) outbox.retry(failed)
  await settle()
  expect(sent).toHaveLength(1)
  if (failed) outbox.retry(failed, reject('a1', 'Not trained for it'))
  await settle()
  expect(sent).toHaveLength(2)
  expect(outbox.getState().items).toEqual([])
})

test('discarding the commands of a ticket keeps those of others', async () => {
  results = { AcceptAssignment: REFUSED }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  outbox.add(accept('a2'), TICKET_2)
  await settle()
  outbox.discard(outbox.getState().items.slice(0, 2))
  expect(outbox.getState().items.map(({ ticketId }) => ticketId)).toEqual(['t2'])
})

test('discarding only the refused command sends the next one of its ticket', async () => {
  results = { AcceptAssignment: REFUSED }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  await settle()
  outbox.discard(outbox.getState().items.slice(0, 1))
  await settle()
  expect(operations()).toEqual(['AcceptAssignment', 'StartAssignment'])
  expect(outbox.getState().items).toEqual([])
})

test.each<[string, FakeResult]>([
  ['a lost connection', 'offline'],
  ['UNAVAILABLE', { code: 'UNAVAILABLE', retryAfterSeconds: 1 }],
  ['TIMEOUT', { code: 'TIMEOUT' }],
  ['REQUEST_TIMEOUT', { code: 'REQUEST_TIMEOUT' }],
  ['RATE_LIMITED', { code: 'RATE_LIMITED', retryAfterSeconds: 1 }],
  ['UNAUTHENTICATED', { code: 'UNAUTHENTICATED' }],
  ['a gateway without a server', { status: 502, html: 'Bad gateway' }],
  ['a gateway that waits too long', { status: 504, html: 'Gateway timeout' }],
  ['the sign-in page of a Wi-Fi network', { status: 200, html: '<title>Welcome</title>' }],
])('after %s a command is sent again later, after those of other tickets', async (_, result) => {
  results = { a1: result }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  outbox.add(accept('a2'), TICKET_2)
  await settle()
  expect(assignments()).toEqual(['a1'])
  expect(outbox.getState().delay).not.toBeNull()
  await vi.advanceTimersByTimeAsync(1000)
  expect(assignments()).toEqual(['a1', 'a2', 'a1'])
  results = {}
  await vi.advanceTimersByTimeAsync(1000)
  expect(operations().slice(3)).toEqual(['AcceptAssignment', 'StartAssignment'])
  expect(new Set([0, 2, 3].map((n) => sent[n]?.key)).size).toBe(1)
  expect(outbox.getState()).toEqual({ items: [], delay: null })
})

test.each<[FakeResult, string]>([
  [INTERNAL, 'Failed. Error e1.'],
  [{ code: 'DOCUMENT_NOT_TRUSTED' }, 'The server has been updated. Reload the page.'],
  [{ code: 'BAD_USER_INPUT' }, 'Failed.'],
  [{ code: 'QUERY_TOO_LARGE' }, 'Failed.'],
  [{ code: 'CONTENT_TOO_LARGE' }, 'Failed.'],
  [{ code: 'A_NEWER_CODE' }, 'Failed.'],
  [{ status: 403, html: 'Forbidden' }, 'The server answered 403.'],
  [{ status: 413, html: 'Too large' }, 'The server answered 413.'],
  [{ status: 500, html: 'Error' }, 'The server answered 500.'],
])('%o blocks its ticket only', async (result, message) => {
  results = { a1: result }
  const { outbox, stop } = await open()
  outbox.add(accept('a1'), TICKET_1)
  outbox.add(start('a1'), TICKET_1)
  outbox.add(accept('a2'), TICKET_2)
  await vi.advanceTimersByTimeAsync(600_000)
  expect(assignments()).toEqual(['a1', 'a2'])
  const { items, delay } = outbox.getState()
  expect(items.map(({ refusal }) => refusal)).toEqual([{ kind: 'failed', message }, null])
  expect(delay).toBeNull()

  stop()
  const reloaded = await open()
  expect(reloaded.outbox.getState().items).toEqual(items)
  await vi.advanceTimersByTimeAsync(600_000)
  expect(sent).toHaveLength(2)
})

test('a refusal that this version does not know is shown with its message', async () => {
  results = { AcceptAssignment: { __typename: 'NewerRefusal', message: 'No.' } }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  await settle()
  expect(outbox.getState().items[0]?.refusal).toEqual({ kind: 'refused', message: 'No.' })
})

test.each<[FakeResult, number]>([
  [{ code: 'RATE_LIMITED', retryAfterSeconds: 7 }, 7000],
  [{ status: 503, html: '', headers: { 'retry-after': '7' } }, 7000],
  [{ code: 'UNAVAILABLE', retryAfterSeconds: 86_400 * 365 }, 300_000],
])('after %o the outbox waits %i ms', async (result, delay) => {
  results = { AcceptAssignment: result }
  const { outbox } = await open()
  outbox.add(accept('a1'), TICKET_1)
  await vi.advanceTimersByTimeAsync(delay - 1)
  expect(sent).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(sent).toHaveLength(2)
})

/** Numbers from 0 to below 1, the same in each run. */
function randomNumbers(seed: number) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

test.each(Array.from({ length: 50 }, (_, seed) => [seed]))(
  'a ticket keeps its order, loses nothing, and waits for its own commands only (seed %i)',
  async (seed) => {
    const random = randomNumbers(seed)
    const temporary: FakeResult[] = ['offline', { code: 'UNAVAILABLE' }, { status: 503, html: '' }]
    const final: FakeResult[] = [INTERNAL, REFUSED, { code: 'DOCUMENT_NOT_TRUSTED' }]
    const unsuccessful = [...temporary, ...final]
    const added = Array.from({ length: 8 }, (_, n) => ({
      id: `a${n}`,
      ticket: `t${Math.floor(random() * 3)}`,
    }))
    for (const { id } of added)
      if (random() < 0.4) results[id] = unsuccessful[Math.floor(random() * unsuccessful.length)] ?? 'offline'
    const { outbox } = await open()
    for (const { id, ticket } of added) outbox.add(accept(id), { id: ticket, ticketNumber: ticket })
    const stored = () => outbox.getState().items.map(({ command }) => command.input.assignmentId)

    // Each ticket is sent up to its first command without success.
    await vi.advanceTimersByTimeAsync(120_000)
    const isBlocked = ({ ticket }: { ticket: string }, n: number) =>
      added.slice(0, n + 1).some((item) => item.ticket === ticket && results[item.id])
    expect(stored()).toEqual(added.filter(isBlocked).map(({ id }) => id))

    results = {}
    await vi.advanceTimersByTimeAsync(60_000)
    for (const item of outbox.getState().items) if (item.refusal) outbox.retry(item)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(stored()).toEqual([])
    for (const ticket of ['t0', 't1', 't2']) {
      const ids = added.filter((item) => item.ticket === ticket).map(({ id }) => id)
      const order = assignments().filter((id) => ids.includes(id))
      expect(order.filter((id, n) => id !== order[n - 1])).toEqual(ids)
    }
    expect(new Set(sent.map(({ key }) => key)).size).toBe(added.length)
  },
)

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

test('a tab sends the commands of a tab that was closed', async () => {
  await open()
  const second = await open()
  second.stop()
  second.outbox.add(accept('a1'), TICKET_1)
  dispatchEvent(Object.assign(new Event('storage'), { key: 'baton.outbox ana' }))
  await settle()
  expect(sent).toHaveLength(0)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(sent).toHaveLength(1)
})

test('commands stored by an earlier version are sent', async () => {
  const stored = { key: 'k', wish: accept('a1'), ticketId: 't1', ticketNumber: 'T-1', refusal: null } // language: quoted
  localStorage.setItem('baton.outbox ana', JSON.stringify([stored]))
  await open()
  expect(sent).toEqual([{ operation: 'AcceptAssignment', assignmentId: 'a1', key: 'k' }])
})
