import { useEffect, useState, useSyncExternalStore } from 'react'
import { Link } from 'wouter'
import { type EngineerAction, labelsOf } from '../../shared/actions'
import { humanize } from '../../shared/format'
import type { Command } from '../../shared/mutate'
import { Time } from '../../shared/ui'
import type { Outbox, OutboxItem } from './outbox'

export const useOutbox = (outbox: Outbox) => useSyncExternalStore(outbox.subscribe, outbox.getState)

/** The commands that wait for the network, and the refused ones, which need a decision. */
export function OutboxPanel({
  outbox,
  onCorrect,
}: {
  outbox: Outbox
  onCorrect: (refused: OutboxItem) => void
}) {
  const { items, isUnreachable } = useOutbox(outbox)
  const isOnline = useOnline()
  const waiting = items.filter((item) => !item.refusal)
  const refused = items.filter((item) => item.refusal)
  return (
    <>
      {waiting.length > 0 && (isUnreachable || !isOnline) && (
        <section className="card outbox" role="status">
          <strong>Waiting for the network ({waiting.length})</strong>
          <ul>
            {waiting.map((item) => (
              <li key={item.key}>
                {labelsOf(item.command.action).verb} {item.ticketNumber}{' '}
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
        <section key={item.key} className="conflict" role="alert">
          <strong>
            {labelsOf(item.command.action).verb} {item.ticketNumber} was refused.
          </strong>
          <p>
            {item.refusal?.message}{' '}
            {item.refusal?.kind === 'invalid'
              ? 'Correct it and send it again.'
              : 'Open the ticket to see what changed, or ask your dispatcher.'}
          </p>
          {items
            .filter(({ ticketId }) => ticketId === item.ticketId)
            .map(({ key, command }) => (
              <EnteredValues key={key} command={command} />
            ))}
          <div className="actions">
            {item.refusal?.kind === 'invalid' ? (
              <button type="button" className="primary" onClick={() => onCorrect(item)}>
                Correct
              </button>
            ) : (
              <Link className="button" href={`/tickets/${encodeURIComponent(item.ticketId)}`}>
                Open the ticket
              </Link>
            )}
            <button type="button" onClick={() => outbox.retry(item)}>
              Try again
            </button>
            <button type="button" onClick={() => outbox.discard(item)}>
              Discard
            </button>
          </div>
        </section>
      ))}
    </>
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
