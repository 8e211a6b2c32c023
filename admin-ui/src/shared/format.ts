/** Codes, numbers and tickets as text. */

/** "IN_PROGRESS" as "In progress". */
export const humanize = (code: string) =>
  code
    .toLowerCase()
    .replaceAll('_', ' ')
    .replace(/^./, (first) => first.toUpperCase())

/** "2.50" as "2.5 h", "0.00" as "0 h". */
export const formatHours = (decimal: string) => `${Number(decimal)} h`

/** The issue and the equipment; the ticket number if both are unknown. */
export const ticketTitle = (ticket: {
  ticketNumber: string
  issueCategory: string | null
  equipment: { name: string } | null
}) => [ticket.issueCategory, ticket.equipment?.name].filter(Boolean).join(' · ') || ticket.ticketNumber
