/** The list's address and the opened ticket, for the way back from a ticket's page. */
export const listPosition = { href: '/', ticketId: '' }
