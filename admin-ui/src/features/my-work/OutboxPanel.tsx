import { useEffect, useId, useRef, useState, useSyncExternalStore } from 'react'
import { Link } from 'wouter'
import { type EngineerAction, isOneClick, labelsOf } from '../../shared/actions'
import { humanize } from '../../shared/format'
import type { Command } from '../../shared/mutate'
import { Dialog, restoreFocus, Time } from '../../shared/ui'
import type { Outbox, OutboxItem, Refusal } from './outbox'

export const useOutbox = (outbox: Outbox) => useSyncExternalStore(outbox.subscribe, outbox.getState)

/** An item, and the later ones of its ticket. */
type Discarded = readonly [OutboxItem, ...OutboxItem[]]

const verbOf = ({ command }: OutboxItem) => labelsOf(command.action).verb

const NEXT_STEPS: Record<Refusal['kind'], string> = {
  invalid: 'Edit it and send it again.',
  conflict: 'Open the ticket to see what changed, or ask your dispatcher.',
  refused: 'Open the ticket to see what changed, or ask your dispatcher.',
  failed: 'Nothing is lost. Send it again; if it fails again, tell your dispatcher.',
}

/** The commands that are sent later, and the refused ones, which need a decision. */
export function OutboxPanel({ outbox, onEdit }: { outbox: Outbox; onEdit: (refused: OutboxItem) => void }) {
  const { items, delay } = useOutbox(outbox)
  const isOnline = useOnline()
  const [discarding, setDiscarding] = useState<Discarded | null>(null)
  const refused = items.filter((item) => item.refusal)
  const waiting = items.filter(({ ticketId }) => !refused.some((item) => item.ticketId === ticketId))
  const isServerReached = isOnline && delay && delay.code !== 'UNREACHABLE'
  useFocusAfterRemoval(refused.length)
  return (
    <>
      {waiting.length > 0 && (delay || !isOnline) && (
        <section className="card outbox" role="status">
          <strong>
            Waiting for the {isServerReached ? 'server' : 'network'} ({waiting.length})
          </strong>
          {isServerReached && <p>{delay.message}</p>}
          <ul>
            {waiting.map((item) => (
              <li key={item.key}>
                {verbOf(item)} {item.ticketNumber}{' '}
                <small>
                  <Time at={item.since} />
                </small>
              </li>
            ))}
          </ul>
          <p className="muted">Saved on this device and sent automatically. You can continue working.</p>
          <button type="button" onClick={outbox.send}>
            Send now
          </button>
        </section>
      )}
      {refused.map((item) => (
        <RefusedItem
          key={item.key}
          item={item}
          ofTicket={items.filter(({ ticketId }) => ticketId === item.ticketId)}
          onEdit={onEdit}
          onRetry={() => outbox.retry(item)}
          onDiscard={setDiscarding}
        />
      ))}
      {discarding && (
        <DiscardDialog
          items={discarding}
          onDiscard={(items) => {
            outbox.discard(items)
            setDiscarding(null)
          }}
          onClose={() => setDiscarding(null)}
        />
      )}
    </>
  )
}

/** A refused command, why, and what the person can do. */
function RefusedItem({
  item,
  ofTicket,
  onEdit,
  onRetry,
  onDiscard,
}: {
  item: OutboxItem
  /** The item and the later ones of its ticket, which wait for it. */
  ofTicket: readonly OutboxItem[]
  onEdit: (item: OutboxItem) => void
  onRetry: () => void
  onDiscard: (items: Discarded) => void
}) {
  const titleId = useId()
  const { kind, message } = item.refusal ?? { kind: 'failed', message: '' }
  const isFailed = kind === 'failed'
  const later = ofTicket.filter(({ key }) => key !== item.key)
  return (
    <section className={`conflict ${kind}`} role="alert">
      <strong id={titleId}>
        {verbOf(item)} {item.ticketNumber} {isFailed ? 'failed.' : 'was refused.'}
      </strong>
      <p>
        {message} {NEXT_STEPS[kind]}
        {later.length > 0 && ` Waiting for it: ${later.map(verbOf).join(', ')}.`}
      </p>
      {ofTicket.map(({ key, command }) => (
        <EnteredValues key={key} command={command} />
      ))}
      <div className="actions">
        {!isOneClick(item.command.action) && (
          <button
            type="button"
            className={kind === 'invalid' ? 'primary' : undefined}
            aria-describedby={titleId}
            onClick={() => onEdit(item)}
          >
            Edit
          </button>
        )}
        <button
          type="button"
          className={isFailed ? 'primary' : undefined}
          aria-describedby={titleId}
          onClick={onRetry}
        >
          Send again
        </button>
        {(kind === 'conflict' || kind === 'refused') && (
          <Link
            className="button"
            aria-describedby={titleId}
            href={`/tickets/${encodeURIComponent(item.ticketId)}`}
          >
            Open the ticket
          </Link>
        )}
        <button type="button" aria-describedby={titleId} onClick={() => onDiscard([item, ...later])}>
          Discard…
        </button>
      </div>
    </section>
  )
}

/** Asks before a refused item is discarded, and whether the later ones of its ticket are discarded, too. */
function DiscardDialog({
  items,
  onDiscard,
  onClose,
}: {
  items: Discarded
  onDiscard: (items: readonly OutboxItem[]) => void
  onClose: () => void
}) {
  const [first, ...later] = items
  return (
    <Dialog title={`Discard ${verbOf(first)} ${first.ticketNumber}?`} onClose={onClose}>
      <p>What you entered is deleted from this device and cannot be restored.</p>
      {later.length > 0 && (
        <p>Entered after it: {later.map(verbOf).join(', ')}. What you keep of this is sent next.</p>
      )}
      <footer>
        <button type="button" onClick={onClose}>
          Keep
        </button>
        <button type="button" className="danger" onClick={() => onDiscard([first])}>
          {later.length > 0 ? `Discard ${verbOf(first)} only` : 'Discard'}
        </button>
        {later.length > 0 && (
          <button type="button" className="danger" onClick={() => onDiscard(items)}>
            Discard all {items.length}
          </button>
        )}
      </footer>
    </Dialog>
  )
}

/** Shows the values of the form, so that the person can copy them before discarding it. */
function EnteredValues({ command: { action, input } }: { command: Command<EngineerAction> }) {
  const { assignmentId: _, ...fields } = input
  const parts = ('partsUsed' in fields ? fields.partsUsed : null) ?? []
  const partsUsed = parts.map((part) => `${part.quantity} × ${part.partName} (${part.partNumber})`).join(', ')
  const values = Object.entries({ ...fields, partsUsed }).filter(([, value]) => value)
  if (values.length === 0) return null
  return (
    <details>
      <summary>{labelsOf(action).verb}: what you entered</summary>
      <dl className="details">
        {values.map(([name, value]) => (
          <div key={name}>
            <dt>{humanize(name.replace(/[A-Z]/g, '_$&'))}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  )
}

/** Keeps the focus on the page when the focused button disappears with its item. */
function useFocusAfterRemoval(count: number) {
  const previous = useRef(count)
  useEffect(() => {
    if (count < previous.current) restoreFocus()
    previous.current = count
  }, [count])
}

function useOnline() {
  const [isOnline, setOnline] = useState(navigator.onLine)
  useEffect(() => {
    const update = () => setOnline(navigator.onLine)
    addEventListener('online', update)
    addEventListener('offline', update)
    return () => {
      removeEventListener('online', update)
      removeEventListener('offline', update)
    }
  }, [])
  return isOnline
}
