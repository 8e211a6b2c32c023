/** An engineer's commands that the server has not answered yet, stored in this browser. */
import type { QueryClient } from '@tanstack/react-query'
import type { EngineerAction } from '../../shared/actions'
import { ApiError } from '../../shared/api'
import { type Command, type MutationOutcome, mutate, newIdempotencyKey } from '../../shared/mutate'
import { cacheTicket } from '../../shared/queries'

/** Why an item is not sent again automatically. `failed`: an error that a repetition does not solve. */
export type Refusal = Exclude<MutationOutcome, { kind: 'done' }> | { kind: 'failed'; message: string }

export interface OutboxItem {
  /** The idempotency key: the server runs the command once, however often it is sent. */
  key: string
  command: Command<EngineerAction>
  ticketId: string
  ticketNumber: string
  since: string
  /** Blocks the later items of the ticket until the person sends, edits or discards the item. */
  refusal: Refusal | null
}

interface State {
  items: readonly OutboxItem[]
  /** The error of the last attempt, if it will be repeated. */
  delay: ApiError | null
}

const MAX_RETRY_DELAY_MS = 30_000
// A longer Retry-After is not waited for: the person may be back at work before.
const MAX_RETRY_AFTER_MS = 300_000
const REQUEST_TIMEOUT_MS = 20_000
// The next request refreshes the token; if that is impossible, the session has ended and the page is closed.
const REPEATED_ERRORS = ['RATE_LIMITED', 'UNAUTHENTICATED']

/** The outbox of one person: on a shared device, it never sends the commands of another person. */
export class Outbox {
  private state: State
  private readonly storageKey: string
  private readonly client: QueryClient
  private readonly listeners = new Set<() => void>()
  private isRunning = false
  private isSending = false
  private failures = 0
  /** The tickets of failed attempts, which come after all others. The latest is last. */
  private postponed: string[] = []
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(subject: string, client: QueryClient) {
    this.storageKey = `baton.outbox ${subject}`
    this.client = client
    this.state = { items: this.load(), delay: null }
  }

  getState = () => this.state

  subscribe = (listener: () => void) => {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** Sends the items from now on; returns a function that stops it. */
  start = () => {
    const onStorage = ({ key }: StorageEvent) => {
      if (key !== this.storageKey) return
      this.setState({ items: this.load() })
      // The other tab sends them, unless it is closed before.
      if (!this.timer) this.schedule(MAX_RETRY_DELAY_MS)
    }
    addEventListener('online', this.send)
    addEventListener('storage', onStorage)
    this.isRunning = true
    void this.send()
    return () => {
      this.isRunning = false
      this.stopTimer()
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

  /** Removes these items; the later ones of their tickets are sent. */
  discard(discarded: readonly OutboxItem[]) {
    const keys = new Set(discarded.map(({ key }) => key))
    this.update((items) => items.filter(({ key }) => !keys.has(key)))
    void this.send()
  }

  /** Sends a refused item again. An edited command gets a new idempotency key. */
  retry(refused: OutboxItem, edited: Command<EngineerAction> = refused.command) {
    const isEdited = JSON.stringify(edited) !== JSON.stringify(refused.command)
    const key = isEdited ? newIdempotencyKey() : refused.key
    const item = { ...refused, command: edited, key, refusal: null }
    this.update((items) => {
      // Another tab may have sent or discarded the item, but not what was entered here.
      const isGone = !items.some((old) => old.key === refused.key)
      if (isGone) return isEdited ? [...items, item] : items
      return items.map((old) => (old.key === refused.key ? item : old))
    })
    void this.send()
  }

  /** Sends the items until the outbox is empty, blocked or delayed. */
  send = async () => {
    this.stopTimer()
    if (this.isSending) return
    this.isSending = true
    while (this.isRunning) {
      const next = nextItem(this.state.items, this.postponed)
      if (!next || !(await this.sendItem(next))) break
    }
    this.isSending = false
  }

  /** Returns false if the item must be sent later; then that is scheduled. */
  private async sendItem({ key, command, ticketId }: OutboxItem): Promise<boolean> {
    this.postponed = this.postponed.filter((id) => id !== ticketId)
    try {
      const outcome = await mutate(command, key, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
      if (outcome.kind === 'done') {
        cacheTicket(this.client, outcome.ticket)
        this.update((items) => items.filter((item) => item.key !== key))
      } else this.refuse(key, outcome)
    } catch (error) {
      if (error instanceof ApiError && (error.isTransient || REPEATED_ERRORS.includes(error.code))) {
        this.postponed.push(ticketId)
        this.setState({ delay: error })
        const retryAfter = Math.min(error.retryAfterMs, MAX_RETRY_AFTER_MS)
        this.schedule(Math.max(retryAfter, retryDelay(this.failures++)))
        return false
      }
      this.refuse(key, { kind: 'failed', message: String((error as Error).message) })
    }
    this.failures = 0
    this.setState({ delay: null })
    return true
  }

  private schedule(delay: number) {
    this.stopTimer()
    if (this.isRunning) this.timer = setTimeout(this.send, delay)
  }

  private stopTimer() {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private refuse(key: string, refusal: Refusal) {
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

/** The first item of a ticket, if it is not refused. The tickets in `postponed` come last, in that order. */
export function nextItem(items: readonly OutboxItem[], postponed: readonly string[]) {
  const isFirst = (item: OutboxItem) => items.find(({ ticketId }) => ticketId === item.ticketId) === item
  const position = ({ ticketId }: OutboxItem) => postponed.indexOf(ticketId)
  return items.filter((item) => !item.refusal && isFirst(item)).sort((a, b) => position(a) - position(b))[0]
}

/** Exponential backoff in milliseconds: 1 s, 2 s, 4 s, up to 30 s. */
export const retryDelay = (failures: number) => Math.min(MAX_RETRY_DELAY_MS, 1000 * 2 ** failures)

// Earlier versions of the pages stored the command under another name.
type Stored = OutboxItem & { wish?: OutboxItem['command'] } // language: quoted
const upgrade = ({ wish: old, ...item }: Stored): OutboxItem => (old ? { ...item, command: old } : item) // language: quoted
