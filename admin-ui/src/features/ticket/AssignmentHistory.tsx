import type { ReactNode } from 'react'
import { formatHours, humanize } from '../../shared/format'
import type { Assignment, Ticket } from '../../shared/queries'
import { Badge, Empty, Time } from '../../shared/ui'

const END_LABELS: Partial<Record<Assignment['status'], string>> = {
  COMPLETED: 'Completed',
  FAILED: 'Failed',
  ESCALATED: 'Escalated',
  CANCELLED: 'Cancelled',
}
const TYPE_LABELS: Record<Assignment['assignmentType'], string> = {
  MANUAL: 'Assigned',
  AUTO: 'Assigned automatically',
  ESCALATION: 'Assigned on escalation',
  REASSIGNMENT: 'Assigned on reassignment',
}

type Props = { ticket: Ticket; actions: (assignment: Assignment) => ReactNode }

/** All assignments of the ticket, oldest first. */
export function AssignmentHistory({ ticket, actions }: Props) {
  const { assignmentHistory: assignments, escalationCount: escalations } = ticket
  return (
    <section className="card" aria-labelledby="history">
      <header className="card-head">
        <h2 id="history">Assignment history</h2>
        {assignments.length > 0 && (
          <span className="muted">
            {escalations} {escalations === 1 ? 'escalation' : 'escalations'} ·{' '}
            {formatHours(ticket.totalTimeSpentHours)} in total
          </span>
        )}
      </header>
      {assignments.length === 0 ? (
        <Empty title="No assignments yet.">The ticket has not been assigned.</Empty>
      ) : (
        <ol className="timeline">
          {assignments.map((assignment) => (
            <Entry key={assignment.id} assignment={assignment} actions={actions(assignment)} />
          ))}
        </ol>
      )}
    </section>
  )
}

function Entry({ assignment, actions }: { assignment: Assignment; actions: ReactNode }) {
  const events: [string, string | null][] = [
    ['Accepted', assignment.acceptedAt],
    ['Started', assignment.startedAt],
    ['Rejected', assignment.rejectedAt],
    [END_LABELS[assignment.status] ?? 'Ended', assignment.completedAt],
  ]
  return (
    <li
      className={assignment.isCurrent ? 'current' : undefined}
      aria-current={assignment.isCurrent ? 'step' : undefined}
    >
      <article aria-labelledby={assignment.id}>
        <header>
          <h3 id={assignment.id}>
            <span className="seq">#{assignment.assignmentSequence}</span> {assignment.engineer.name}
          </h3>
          <span className="muted">
            Tier {assignment.assignmentTier}, {assignment.assignmentTierName}
          </span>
          {assignment.isCurrent && <span className="badge outline">Current</span>}
          <Badge code={assignment.status} />
        </header>
        <ul className="events">
          <li>
            {TYPE_LABELS[assignment.assignmentType]} <Time at={assignment.assignedAt} />
            {assignment.assignedBy && ` by ${assignment.assignedBy}`}
          </li>
          {events.map(
            ([label, at]) =>
              at && (
                <li key={label}>
                  {label} <Time at={at} />
                </li>
              ),
          )}
        </ul>
        <dl className="details">
          <Detail term="Why assigned">{assignment.assignmentReason}</Detail>
          <Detail term="Why rejected">{assignment.rejectionReason}</Detail>
          <Detail term="Why escalated">{assignment.escalationReason}</Detail>
          <Detail term="Why cancelled">{assignment.cancellationReason}</Detail>
          <Detail term="Outcome">
            {assignment.completionStatus &&
              assignment.completionStatus !== 'ESCALATED' &&
              humanize(assignment.completionStatus)}
          </Detail>
          <Detail term="Time spent">
            {assignment.timeSpentHours !== null && formatHours(assignment.timeSpentHours)}
          </Detail>
          <Detail term="Diagnosis">{assignment.diagnosis}</Detail>
          <Detail term="Actions taken">{assignment.actionsTaken}</Detail>
          <Detail term="Parts used">
            {assignment.partsUsed.length > 0 && <Parts parts={assignment.partsUsed} />}
          </Detail>
          <Detail term="Notes">{assignment.notes}</Detail>
          <Detail term="Rating">
            {assignment.customerRating !== null && <Stars count={assignment.customerRating} />}
          </Detail>
          <Detail term="Customer feedback">{assignment.customerFeedback}</Detail>
        </dl>
        {actions}
      </article>
    </li>
  )
}

const Detail = ({ term, children }: { term: string; children: ReactNode }) =>
  children ? (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  ) : null

const Stars = ({ count }: { count: number }) => (
  <span className="rating" role="img" aria-label={`${count} of 5`}>
    {'★'.repeat(count)}
    {'☆'.repeat(5 - count)}
  </span>
)

const Parts = ({ parts }: { parts: Assignment['partsUsed'] }) => (
  <ul className="parts-used">
    {Object.entries(parts).map(([index, part]) => (
      <li key={index}>
        {part.quantity} × {part.partName}{' '}
        <small>
          {part.partNumber} · {part.cost} each
        </small>
      </li>
    ))}
  </ul>
)
