import type { ReactNode } from 'react'
import type { Ticket, Turn } from '../../shared/queries'
import { Badge, Empty, hours, Time, words } from '../../shared/ui'

const ENDED: Partial<Record<Turn['status'], string>> = {
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  ESCALATED: 'Escalated',
  CANCELLED: 'Cancelled',
}
const ORIGIN: Record<Turn['assignmentType'], string> = {
  MANUAL: 'Assigned',
  AUTO: 'Assigned automatically',
  ESCALATION: 'Assigned on escalation',
  REASSIGNMENT: 'Assigned on hand-over',
}

type Props = { ticket: Ticket; actions: (turn: Turn) => ReactNode }

/** Everybody who was given the ticket, first to last: why, when, how long, and how it ended. */
export function AssignmentHistory({ ticket, actions }: Props) {
  const { assignmentHistory: turns, escalationCount: escalations } = ticket
  return (
    <section className="card" aria-labelledby="history">
      <header className="card-head">
        <h2 id="history">Assignment history</h2>
        {turns.length > 0 && (
          <span className="muted">
            {escalations} {escalations === 1 ? 'escalation' : 'escalations'} ·{' '}
            {hours(ticket.totalTimeSpentHours)} in all
          </span>
        )}
      </header>
      {turns.length === 0 ? (
        <Empty title="No assignments yet.">Nobody has held this ticket.</Empty>
      ) : (
        <ol className="timeline">
          {turns.map((turn) => (
            <Entry key={turn.id} turn={turn} actions={actions(turn)} />
          ))}
        </ol>
      )}
    </section>
  )
}

function Entry({ turn, actions }: { turn: Turn; actions: ReactNode }) {
  return (
    <li className={turn.isCurrent ? 'current' : undefined} aria-current={turn.isCurrent ? 'step' : undefined}>
      <article aria-labelledby={turn.id}>
        <header>
          <h3 id={turn.id}>
            <span className="seq">#{turn.assignmentSequence}</span> {turn.engineer.name}
          </h3>
          <span className="muted">
            Tier {turn.assignmentTier}, {turn.assignmentTierName}
          </span>
          {turn.isCurrent && <span className="badge outline">Current</span>}
          <Badge code={turn.status} />
        </header>
        <ul className="events">
          <li>
            {ORIGIN[turn.assignmentType]} <Time at={turn.assignedAt} />
            {turn.assignedBy && ` by ${turn.assignedBy}`}
          </li>
          {turn.acceptedAt && (
            <li>
              Accepted <Time at={turn.acceptedAt} />
            </li>
          )}
          {turn.startedAt && (
            <li>
              Started <Time at={turn.startedAt} />
            </li>
          )}
          {turn.rejectedAt && (
            <li>
              Rejected <Time at={turn.rejectedAt} />
            </li>
          )}
          {turn.completedAt && (
            <li>
              {ENDED[turn.status] ?? 'Ended'} <Time at={turn.completedAt} />
            </li>
          )}
        </ul>
        <dl className="told">
          <Told term="Why assigned">{turn.assignmentReason}</Told>
          <Told term="Why rejected">{turn.rejectionReason}</Told>
          <Told term="Why escalated">{turn.escalationReason}</Told>
          <Told term="Why cancelled">{turn.cancellationReason}</Told>
          <Told term="Outcome">
            {turn.completionStatus && turn.completionStatus !== 'ESCALATED' && words(turn.completionStatus)}
          </Told>
          <Told term="Time spent">{turn.timeSpentHours !== null && hours(turn.timeSpentHours)}</Told>
          <Told term="Diagnosis">{turn.diagnosis}</Told>
          <Told term="Actions taken">{turn.actionsTaken}</Told>
          <Told term="Parts used">{turn.partsUsed.length > 0 && <Parts parts={turn.partsUsed} />}</Told>
          <Told term="Notes">{turn.notes}</Told>
          <Told term="Rating">{turn.customerRating !== null && <Stars n={turn.customerRating} />}</Told>
          <Told term="Customer's words">{turn.customerFeedback}</Told>
        </dl>
        {actions}
      </article>
    </li>
  )
}

const Told = ({ term, children }: { term: string; children: ReactNode }) =>
  children ? (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  ) : null

const Stars = ({ n }: { n: number }) => (
  <span className="stars-shown" role="img" aria-label={`${n} of 5`}>
    {'★'.repeat(n)}
    {'☆'.repeat(5 - n)}
  </span>
)

const Parts = ({ parts }: { parts: Turn['partsUsed'] }) => (
  <ul className="parts-shown">
    {Object.entries(parts).map(([place, part]) => (
      <li key={place}>
        {part.quantity} × {part.partName}{' '}
        <small>
          {part.partNumber} · {part.cost} each
        </small>
      </li>
    ))}
  </ul>
)
