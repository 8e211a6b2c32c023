import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import { ticketTitle } from '../../shared/format'
import { listPosition } from '../../shared/listPosition'
import type { TicketRow as Ticket } from '../../shared/queries'
import { Badge, Time } from '../../shared/ui'

const HIGHLIGHT_MS = 5_000

/** One ticket of the list. The row is highlighted when the ticket is new or changes. */
export function TicketRow({ ticket }: { ticket: Ticket }) {
  const [, go] = useLocation()
  const { currentAssignment: current } = ticket
  const [shownUpdate, setShownUpdate] = useState(ticket.updatedAt)
  const [isHighlighted, setHighlighted] = useState(
    () => Date.now() - Date.parse(ticket.updatedAt) < HIGHLIGHT_MS,
  )
  if (shownUpdate !== ticket.updatedAt) {
    setShownUpdate(ticket.updatedAt)
    setHighlighted(true)
  }
  const href = `/tickets/${encodeURIComponent(ticket.id)}`
  const rememberPosition = () => {
    listPosition.ticketId = ticket.id
  }
  const open = () => {
    rememberPosition()
    go(href)
  }
  return (
    <tr
      className={isHighlighted ? 'highlighted' : undefined}
      onAnimationEnd={() => setHighlighted(false)}
      onClick={open}
    >
      <td>
        <Link
          href={href}
          data-ticket={ticket.id}
          onClick={(event) => {
            event.stopPropagation() // the row would open it again
            rememberPosition()
          }}
        >
          {ticketTitle(ticket)}
        </Link>
        <small className="below">
          {ticket.ticketNumber}
          {ticket.customerName && ` · ${ticket.customerName}`}
        </small>
      </td>
      <td>
        <Badge code={ticket.priority} />
      </td>
      <td>
        <Badge code={ticket.status} />
      </td>
      <td>
        {current ? (
          <>
            {current.engineer.name}
            <small className="below">{current.assignmentTierName}</small>
          </>
        ) : (
          <span className="muted">Unassigned</span>
        )}
      </td>
      <td className="num">{ticket.escalationCount || <span className="muted">–</span>}</td>
      <td className="nowrap">
        <Time at={ticket.updatedAt} />
      </td>
    </tr>
  )
}
