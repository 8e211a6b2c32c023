import { useEffect, useState, useSyncExternalStore } from 'react'
import { Link } from 'wouter'
import { wordsOf } from '../../shared/actions'
import type { Wish } from '../../shared/mutate'
import { Time, words } from '../../shared/ui'
import type { Outbox, Waiting, Work } from './outbox'

export const useOutbox = (outbox: Outbox) => useSyncExternalStore(outbox.onChange, outbox.current)

/** What has not been sent, and what was refused and needs a decision. */
export function OutboxPanel({
  outbox,
  onCorrect,
}: {
  outbox: Outbox
  onCorrect: (refused: Waiting) => void
}) {
  const { items, stuck } = useOutbox(outbox)
  const isOnline = useOnline()
  const waiting = items.filter((item) => !item.refusal)
  const refused = items.filter((item) => item.refusal)
  return (
    <>
      {waiting.length > 0 && (stuck || !isOnline) && (
        <section className="card outbox" role="status">
          <strong>Waiting for the network ({waiting.length})</strong>
          <ul>
            {waiting.map((item) => (
              <li key={item.key}>
                {wordsOf(item.wish.action).verb} {item.ticketNumber}{' '}
                <small>
                  <Time at={item.since} />
                </small>
              </li>
            ))}
          </ul>
          <p className="muted">Kept on this device and sent by itself. You can go on working.</p>
          <button type="button" onClick={outbox.send}>
            Send now
          </button>
        </section>
      )}
      {refused.map((item) => (
        <section key={item.key} className="conflict" role="alert">
          <strong>
            {wordsOf(item.wish.action).verb} {item.ticketNumber} was not done.
          </strong>
          <p>
            {item.refusal?.message}{' '}
            {item.refusal?.kind === 'invalid'
              ? 'Correct it and send it again.'
              : 'See what happened to the ticket; if this should stand, ask your dispatcher.'}
          </p>
          {items
            .filter(({ ticketId }) => ticketId === item.ticketId)
            .map(({ key, wish }) => (
              <Written key={key} wish={wish} />
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

/** Discarding must not be the end of an hour's report. */
function Written({ wish: { action, input } }: { wish: Wish<Work> }) {
  const { assignmentId: _, ...fields } = input
  const parts = ('partsUsed' in fields ? fields.partsUsed : null) ?? []
  const partsUsed = parts.map((part) => `${part.quantity} × ${part.partName} (${part.partNumber})`).join(', ')
  const texts = Object.entries({ ...fields, partsUsed }).filter(([, text]) => text)
  if (texts.length === 0) return null
  return (
    <details>
      <summary>{wordsOf(action).verb}: what you wrote</summary>
      <dl className="told">
        {texts.map(([name, text]) => (
          <div key={name}>
            <dt>{words(name.replace(/[A-Z]/g, '_$&'))}</dt>
            <dd>{text}</dd>
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
