/** What an engineer did while there was no network: kept in this browser until the server has answered. */
import type { QueryClient } from '@tanstack/react-query'
import { ApiError } from '../../shared/api'
import { act, newKey, type Verdict, type Wish } from '../../shared/mutate'
import { keepTicket } from '../../shared/queries'

export type Work = 'ACCEPT' | 'START' | 'COMPLETE' | 'REJECT'

export interface Waiting {
  /** Its idempotency key: however often it is sent, it is done once. */
  key: string
  wish: Wish<Work>
  ticketId: string
  ticketNumber: string
  since: string
  /** What the server said against it. Nothing more of the ticket is sent until somebody has decided. */
  refusal: Exclude<Verdict, { kind: 'done' }> | null
}

interface State {
  items: readonly Waiting[]
  /** The last try did not reach the server. */
  stuck: boolean
}

const LONGEST_WAIT_MS = 30_000
const PATIENCE_MS = 20_000
// From our own server, and as true tomorrow; whatever else goes wrong may be the network's doing.
const HOPELESS = ['BAD_USER_INPUT', 'QUERY_TOO_LARGE']

/** The outbox of one person: on a shared phone, nobody sends what somebody else did. */
export class Outbox {
  private state: State
  private readonly place: string
  private readonly client: QueryClient
  private readonly listeners = new Set<() => void>()
  private running = false
  private sending = false
  private failures = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(subject: string, client: QueryClient) {
    this.place = `baton.outbox ${subject}`
    this.client = client
    this.state = { items: this.stored(), stuck: false }
  }

  current = () => this.state

  onChange = (listener: () => void) => {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** From now on, sends what waits whenever there is hope; returns how to stop it. */
  start = () => {
    const onStorage = ({ key }: StorageEvent) => key === this.place && this.become({ items: this.stored() })
    addEventListener('online', this.send)
    addEventListener('storage', onStorage)
    this.running = true
    void this.send()
    return () => {
      this.running = false
      clearTimeout(this.timer)
      removeEventListener('online', this.send)
      removeEventListener('storage', onStorage)
    }
  }

  add(wish: Wish<Work>, { id, ticketNumber }: { id: string; ticketNumber: string }) {
    const since = new Date().toISOString()
    this.change((items) => [
      ...items,
      { key: newKey(), wish, ticketId: id, ticketNumber, since, refusal: null },
    ])
    void this.send()
  }

  /** Drops what was refused, with what was to follow it on the same ticket. */
  discard({ ticketId }: Waiting) {
    this.change((items) => items.filter((item) => item.ticketId !== ticketId))
  }

  /** Sends again what was refused, or in its place what was corrected: that is another wish, with another key. */
  retry(refused: Waiting, corrected?: Wish<Work>) {
    const again = { ...refused, ...(corrected && { wish: corrected, key: newKey() }), refusal: null }
    this.change((items) => items.map((item) => (item.key === refused.key ? again : item)))
    void this.send()
  }

  send = async () => {
    if (this.sending) return
    clearTimeout(this.timer)
    this.sending = true
    while (this.running) {
      const next = this.state.items.find(({ ticketId }) => !this.isHeldUp(ticketId))
      if (!next || !(await this.sendOne(next))) break
    }
    this.sending = false
  }

  private isHeldUp(ticketId: string) {
    return this.state.items.some((item) => item.ticketId === ticketId && item.refusal)
  }

  /** False when the server did not answer; then it comes back to it later. */
  private async sendOne({ key, wish }: Waiting): Promise<boolean> {
    try {
      const answer = await act(wish, key, { signal: AbortSignal.timeout(PATIENCE_MS) })
      if (answer.kind === 'done') {
        keepTicket(this.client, answer.ticket)
        this.change((items) => items.filter((item) => item.key !== key))
      } else this.refuse(key, answer)
    } catch (error) {
      if (!(error instanceof ApiError && HOPELESS.includes(error.code))) {
        this.become({ stuck: true })
        if (this.running)
          this.timer = setTimeout(this.send, Math.min(LONGEST_WAIT_MS, 1000 * 2 ** this.failures++))
        return false
      }
      this.refuse(key, { kind: 'refused', message: error.message })
    }
    this.failures = 0
    this.become({ stuck: false })
    return true
  }

  private refuse(key: string, refusal: NonNullable<Waiting['refusal']>) {
    this.change((items) => items.map((item) => (item.key === key ? { ...item, refusal } : item)))
    void this.client.invalidateQueries({ queryKey: ['my-work'] })
  }

  private stored = (): Waiting[] => JSON.parse(localStorage.getItem(this.place) ?? '[]')

  /** Begins from what is stored: another tab may have changed it. */
  private change(edit: (items: Waiting[]) => Waiting[]) {
    const items = edit(this.stored())
    localStorage.setItem(this.place, JSON.stringify(items))
    this.become({ items })
  }

  private become(change: Partial<State>) {
    this.state = { ...this.state, ...change }
    for (const changed of this.listeners) changed()
  }
}
