import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import { ACTIONS, isDirect, wordsOf, workOf } from '../../shared/actions'
import { useAct, type Wish } from '../../shared/mutate'
import { type Ticket, type Turn, useEngineers, useTicket, type Viewer } from '../../shared/queries'
import { type Action, isAfterwards, isLegal, opensNext } from '../../shared/rules'
import { Badge, Failure, hours, NotFound, Skeleton, Time, titleOf, useKeys, useToast } from '../../shared/ui'
import { leftOff } from '../tickets/TicketList'
import { ActionDialog, type Begun, stampOf } from './ActionDialog'
import { AssignmentHistory } from './AssignmentHistory'

export function TicketPage({ id, viewer }: { id: string; viewer: Viewer }) {
  const query = useTicket(id)
  if (query.isPending) return <Skeleton />
  if (query.isError && !query.data) return <Failure error={query.error} retry={query.refetch} />
  if (!query.data) {
    return (
      <NotFound title="There is no such ticket">
        Or it is not yours to see. <Link href="/">Back to the tickets</Link>
      </NotFound>
    )
  }
  return <Whole ticket={query.data} viewer={viewer} />
}

function Whole({ ticket, viewer }: { ticket: Ticket; viewer: Viewer }) {
  const attempt = useAct(ticket.id)
  const toast = useToast()
  const [, go] = useLocation()
  const [begun, setBegun] = useState<Begun | null>(null)

  const send = (wish: Wish, next: Begun) =>
    attempt.mutate(wish, {
      onSuccess: (answer) => {
        if (answer.kind === 'done') toast(wordsOf(wish.action).done)
        setBegun(answer.kind === 'done' ? null : next)
      },
      onError: () => setBegun(next),
    })
  const begin = (action: Action, turn: Turn | undefined) => {
    const next = { action, turn, seen: stampOf(action, ticket, turn) }
    attempt.reset()
    if (turn && isDirect(action)) send(workOf(action, turn.id), next)
    else setBegun(next)
  }

  const turns = ticket.assignmentHistory
  const current = turns.find(({ isCurrent }) => isCurrent)
  const legal = ACTIONS.filter(
    ({ action }) => !isAfterwards(action) && isLegal(action, viewer, ticket, current),
  )
  // On their way before the dialog that suggests them is open.
  useEngineers(legal.some(({ action }) => opensNext(action)))
  const canRate = (turn: Turn) => isLegal('RATE', viewer, ticket, turn)
  const canCorrect = (turn: Turn) => isLegal('CORRECT', viewer, ticket, turn)
  const lastDone = turns.findLast(canRate)
  const lastEnded = turns.findLast(canCorrect)
  useKeys({
    ...Object.fromEntries(legal.map(({ action, key }) => [key, () => begin(action, current)])),
    [wordsOf('RATE').key]: lastDone && (() => begin('RATE', lastDone)),
    [wordsOf('CORRECT').key]: lastEnded && (() => begin('CORRECT', lastEnded)),
    u: () => go(leftOff.list),
  })
  return (
    <>
      <title>{`${ticket.ticketNumber} ${titleOf(ticket)} · Baton`}</title>
      <nav className="crumbs" aria-label="Breadcrumb">
        <Link href={leftOff.list}>Tickets</Link> / <span>{ticket.ticketNumber}</span>
      </nav>
      <div className="bar">
        <h1>{titleOf(ticket)}</h1>
        <div className="actions">
          {legal.map(({ action, key, verb }, place) => (
            <button
              key={action}
              type="button"
              className={place === 0 ? 'primary' : undefined}
              aria-keyshortcuts={key}
              disabled={attempt.isPending}
              onClick={() => begin(action, current)}
            >
              {verb}
              <kbd>{key}</kbd>
            </button>
          ))}
        </div>
      </div>
      <div className="columns">
        <div className="stack">
          {ticket.issueDescription && <p className="card issue">{ticket.issueDescription}</p>}
          <AssignmentHistory
            ticket={ticket}
            actions={(turn) => (
              <>
                {canRate(turn) && (
                  <button type="button" className="quiet small" onClick={() => begin('RATE', turn)}>
                    {turn.customerRating === null ? 'Rate' : 'Rate anew'}
                    {turn === lastDone && <kbd>{wordsOf('RATE').key}</kbd>}
                  </button>
                )}
                {canCorrect(turn) && (
                  <button type="button" className="quiet small" onClick={() => begin('CORRECT', turn)}>
                    {wordsOf('CORRECT').verb}
                    {turn === lastEnded && <kbd>{wordsOf('CORRECT').key}</kbd>}
                  </button>
                )}
              </>
            )}
          />
        </div>
        <Facts ticket={ticket} current={current} />
      </div>
      {begun && (
        <ActionDialog
          begun={begun}
          ticket={ticket}
          viewer={viewer}
          attempt={attempt}
          send={send}
          onClose={() => setBegun(null)}
        />
      )}
    </>
  )
}

function Facts({ ticket, current }: { ticket: Ticket; current: Turn | undefined }) {
  const { equipment } = ticket
  const most = Math.max(0, ...ticket.timeByEngineer.map((time) => Number(time.timeSpentHours)))
  return (
    <aside className="stack" aria-label="Facts">
      <dl className="card facts">
        <div>
          <dt>Status</dt>
          <dd>
            <Badge code={ticket.status} />
          </dd>
        </div>
        <div>
          <dt>Priority</dt>
          <dd>
            <Badge code={ticket.priority} />
          </dd>
        </div>
        <div>
          <dt>Held by</dt>
          <dd>
            {current ? (
              <>
                {current.engineer.name}
                <small className="below">
                  {current.assignmentTierName}, since <Time at={current.assignedAt} />
                </small>
              </>
            ) : (
              <span className="muted">Nobody</span>
            )}
          </dd>
        </div>
        <div>
          <dt>Customer</dt>
          <dd>{ticket.customerName ?? <span className="muted">Unknown</span>}</dd>
        </div>
        <div>
          <dt>Equipment</dt>
          <dd>
            {equipment ? (
              <>
                {equipment.name}
                <small className="below">
                  {[equipment.manufacturer, equipment.model, equipment.serialNumber]
                    .filter(Boolean)
                    .join(' · ')}
                </small>
              </>
            ) : (
              <span className="muted">None named</span>
            )}
          </dd>
        </div>
        <div>
          <dt>Reported</dt>
          <dd>
            <Time at={ticket.createdAt} />
          </dd>
        </div>
        <div>
          <dt>Updated</dt>
          <dd>
            <Time at={ticket.updatedAt} />
          </dd>
        </div>
        {ticket.resolvedAt && (
          <div>
            <dt>Resolved</dt>
            <dd>
              <Time at={ticket.resolvedAt} />
            </dd>
          </div>
        )}
      </dl>
      {ticket.timeByEngineer.length > 0 && (
        <section className="card" aria-labelledby="hours">
          <header className="card-head">
            <h2 id="hours">Hours</h2>
            <b>{hours(ticket.totalTimeSpentHours)}</b>
          </header>
          <ul className="hours">
            {ticket.timeByEngineer.map(({ engineer, timeSpentHours, assignments }) => (
              <li key={engineer.id}>
                <span>
                  {engineer.name}
                  {assignments > 1 && <small> {assignments} times</small>}
                </span>
                <span className="num">{hours(timeSpentHours)}</span>
                {most > 0 && (
                  <meter aria-label={`Hours of ${engineer.name}`} value={Number(timeSpentHours)} max={most} />
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  )
}
