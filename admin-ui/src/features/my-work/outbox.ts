/** An engineer's commands that the server has not answered yet, stored in this browser. */
import type { QueryClient } from '@tanstack/react-query'
import type { EngineerAction } from '../../shared/actions'
import { ApiError } from '../../shared/api'
import { type Command, type MutationOutcome, mutate, newIdempotencyKey } from '../../shared/mutate'
import { cacheTicket } from '../../shared/queries'

export interface OutboxItem {
  /** The idempotency key: the server runs the command once, however often it is sent. */
  key: string
  command: Command<EngineerAction>
  ticketId: string
  ticketNumber: string
  since: string
  /** Why the server refused the command. Blocks the other items of the ticket until it is retried or discarded. */
  refusal: Exclude<MutationOutcome, { kind: 'done' }> | null
}

interface State {
  items: readonly OutboxItem[]
  /** The last attempt did not reach the server. */
  isUnreachable: boolean
}

const MAX_RETRY_DELAY_MS = 30_000
const REQUEST_TIMEOUT_MS = 20_000
// Errors that a retry cannot solve. Any other error may be caused by the network.
const PERMANENT_ERRORS = ['BAD_USER_INPUT', 'QUERY_TOO_LARGE']

/** The outbox of one person: on a shared device, it never sends the commands of another person. */
export class Outbox {
  private state: State
  private readonly storageKey: string
  private readonly client: QueryClient
  private readonly listeners = new Set<() => void>()
  private isRunning = false
  private isSending = false
  private failures = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(subject: string, client: QueryClient) {
    this.storageKey = `baton.outbox ${subject}`
    this.client = client
    this.state = { items: this.load(), isUnreachable: false }
  }

  getState = () => this.state

  subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** Sends the items from now on; returns a function that stops it. */
  start = () => {
    const onStorage = ({ key }: StorageEvent) =>
      key === this.storageKey && this.setState({ items: this.load() })
    addEventListener('online', this.send)
    addEventListener('storage', onStorage)
    this.isRunning = true
    void this.send()
    return () => {
      this.isRunning = false
      clearTimeout(this.timer)
      removeEventListener('online', this.send)
      removeEventListener('storage', onStorage)
    }
  }

  add(command: Command<EngineerAction>, { id, ticketNumber }: { id: string; ticketNumber: string }) {
    const since = new Date().toISOString()
    const item = { key: newIdempotencyKey(), command, ticketId: id, ticketNumber, since, refusal: null }
    this.update((items) => [...items, item])
    void this.send()
  }

  /** Removes the item and all others of its ticket. */
  discard({ ticketId }: OutboxItem) {
    this.update((items) => items.filter((item) => item.ticketId !== ticketId))
  }

  /** Sends a refused item again. A corrected command gets a new idempotency key. */
  retry(refused: OutboxItem, corrected?: Command<EngineerAction>) {
    const correction = corrected && { command: corrected, key: newIdempotencyKey() }
    const item = { ...refused, ...correction, refusal: null }
    this.update((items) => items.map((old) => (old.key === refused.key ? item : old)))
    void this.send()
  }

  /** Sends the items in order until the outbox is empty, blocked or offline. */
  send = async () => {
    if (this.isSending) return
    clearTimeout(this.timer)
    this.isSending = true
    while (this.isRunning) {
      const next = nextItem(this.state.items)
      if (!next || !(await this.sendItem(next))) break
    }
    this.isSending = false
  }

  /** Returns false if the server did not answer; then a retry is scheduled. */
  private async sendItem({ key, command }: OutboxItem): Promise<boolean> {
    try {
      const outcome = await mutate(command, key, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
      if (outcome.kind === 'done') {
        cacheTicket(this.client, outcome.ticket)
        this.update((items) => items.filter((item) => item.key !== key))
      } else this.refuse(key, outcome)
    } catch (error) {
      if (!(error instanceof ApiError && PERMANENT_ERRORS.includes(error.code))) {
        this.setState({ isUnreachable: true })
        if (this.isRunning) this.timer = setTimeout(this.send, retryDelay(this.failures++))
        return false
      }
      this.refuse(key, { kind: 'refused', message: error.message })
    }
    this.failures = 0
    this.setState({ isUnreachable: false })
    return true
  }

  private refuse(key: string, refusal: NonNullable<OutboxItem['refusal']>) {
    this.update((items) => items.map((item) => (item.key === key ? { ...item, refusal } : item)))
    void this.client.invalidateQueries({ queryKey: ['my-work'] })
  }

  private load = (): OutboxItem[] => JSON.parse(localStorage.getItem(this.storageKey) ?? '[]').map(upgrade)

  /** Edits the stored items, which another tab may have changed. */
  private update(edit: (items: OutboxItem[]) => OutboxItem[]) {
    const items = edit(this.load())
    localStorage.setItem(this.storageKey, JSON.stringify(items))
    this.setState({ items })
  }

  private setState(change: Partial<State>) {
    this.state = { ...this.state, ...change }
    for (const listener of this.listeners) listener()
  }
}

/** The first item of a ticket that has no refused item. */
export const nextItem = (items: readonly OutboxItem[]) =>
  items.find(({ ticketId }) => !items.some((item) => item.ticketId === ticketId && item.refusal))

/** Exponential backoff in milliseconds: 1 s, 2 s, 4 s, up to 30 s. */
export const retryDelay = (failures: number) => Math.min(MAX_RETRY_DELAY_MS, 1000 * 2 ** failures)

// Earlier versions of the pages stored the command under another name.
type Stored = OutboxItem & { wish?: OutboxItem['command'] } // language: quoted
const upgrade = ({ wish: old, ...item }: Stored): OutboxItem => (old ? { ...item, command: old } : item) // language: quoted
