import type { ReactNode } from 'react'
import { formatHours } from '../../shared/format'
import type { Assignment, Ticket } from '../../shared/queries'
import { Badge, Time } from '../../shared/ui'

/** The side panel: the ticket's fields, and the hours of each engineer. */
export function TicketDetails({ ticket, current }: { ticket: Ticket; current: Assignment | undefined }) {
  const { equipment } = ticket
  const maxHours = Math.max(0, ...ticket.timeByEngineer.map((time) => Number(time.timeSpentHours)))
  return (
    <aside className="stack" aria-label="Ticket details">
      <dl className="card ticket-details">
        <Detail term="Status">
          <Badge code={ticket.status} />
        </Detail>
        <Detail term="Priority">
          <Badge code={ticket.priority} />
        </Detail>
        <Detail term="Assigned to">
          {current ? (
            <>
              {current.engineer.name}
              <small className="below">
                {current.assignmentTierName}, since <Time at={current.assignedAt} />
              </small>
            </>
          ) : (
            <span className="muted">Unassigned</span>
          )}
        </Detail>
        <Detail term="Customer">{ticket.customerName ?? <span className="muted">Unknown</span>}</Detail>
        <Detail term="Equipment">
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
            <span className="muted">Not specified</span>
          )}
        </Detail>
        <Detail term="Reported">
          <Time at={ticket.createdAt} />
        </Detail>
        <Detail term="Updated">
          <Time at={ticket.updatedAt} />
        </Detail>
        {ticket.resolvedAt && (
          <Detail term="Resolved">
            <Time at={ticket.resolvedAt} />
          </Detail>
        )}
      </dl>
      {ticket.timeByEngineer.length > 0 && (
        <section className="card" aria-labelledby="hours">
          <header className="card-head">
            <h2 id="hours">Hours</h2>
            <b>{formatHours(ticket.totalTimeSpentHours)}</b>
          </header>
          <ul className="hours">
            {ticket.timeByEngineer.map(({ engineer, timeSpentHours, assignments }) => (
              <li key={engineer.id}>
                <span>
                  {engineer.name}
                  {assignments > 1 && <small> {assignments} times</small>}
                </span>
                <span className="num">{formatHours(timeSpentHours)}</span>
                {maxHours > 0 && (
                  <meter
                    aria-label={`Hours of ${engineer.name}`}
                    value={Number(timeSpentHours)}
                    max={maxHours}
                  />
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  )
}

const Detail = ({ term, children }: { term: string; children: ReactNode }) => (
  <div>
    <dt>{term}</dt>
    <dd>{children}</dd>
  </div>
)
