import { useState } from 'react'
import { Link, useLocation } from 'wouter'
import { ACTIONS, engineerCommand, isOneClick, labelsOf } from '../../shared/actions'
import { ticketTitle } from '../../shared/format'
import { listPosition } from '../../shared/listPosition'
import { type Command, useTicketMutation } from '../../shared/mutate'
import { type Assignment, type Ticket, useEngineers, useTicket, type Viewer } from '../../shared/queries'
import { type Action, createsAssignment, isAllowed, isForEnded } from '../../shared/rules'
import { Failure, NotFound, Skeleton, useKeys, useToast } from '../../shared/ui'
import { ActionDialog, type OpenAction, versionOf } from './ActionDialog'
import { AssignmentHistory } from './AssignmentHistory'
import { TicketDetails } from './TicketDetails'

export function TicketPage({ id, viewer }: { id: string; viewer: Viewer }) {
  const query = useTicket(id)
  if (query.isPending) return <Skeleton />
  if (query.isError && !query.data) return <Failure error={query.error} retry={query.refetch} />
  if (!query.data) {
    return (
      <NotFound title="Ticket not found">
        It does not exist, or you may not see it. <Link href="/">Back to the tickets</Link>
      </NotFound>
    )
  }
  return <LoadedTicket ticket={query.data} viewer={viewer} />
}

function LoadedTicket({ ticket, viewer }: { ticket: Ticket; viewer: Viewer }) {
  const mutation = useTicketMutation(ticket.id)
  const toast = useToast()
  const [, go] = useLocation()
  const [opened, setOpened] = useState<OpenAction | null>(null)

  const send = (command: Command, next: OpenAction) =>
    mutation.mutate(command, {
      onSuccess: (outcome) => {
        if (outcome.kind === 'done') toast(labelsOf(command.action).done)
        setOpened(outcome.kind === 'done' ? null : next)
      },
      onError: () => setOpened(next),
    })
  const start = (action: Action, assignment: Assignment | undefined) => {
    const next = { action, assignment, version: versionOf(action, ticket, assignment) }
    mutation.reset()
    if (assignment && isOneClick(action)) send(engineerCommand(action, assignment.id), next)
    else setOpened(next)
  }

  const assignments = ticket.assignmentHistory
  const current = assignments.find(({ isCurrent }) => isCurrent)
  const allowed = ACTIONS.filter(
    ({ action }) => !isForEnded(action) && isAllowed(action, viewer, ticket, current),
  )
  // Load them before the dialog opens.
  useEngineers(allowed.some(({ action }) => createsAssignment(action)))
  const canRate = (assignment: Assignment) => isAllowed('RATE', viewer, ticket, assignment)
  const canCorrect = (assignment: Assignment) => isAllowed('CORRECT', viewer, ticket, assignment)
  const lastRatable = assignments.findLast(canRate)
  const lastCorrectable = assignments.findLast(canCorrect)
  useKeys({
    ...Object.fromEntries(allowed.map(({ action, key }) => [key, () => start(action, current)])),
    [labelsOf('RATE').key]: lastRatable && (() => start('RATE', lastRatable)),
    [labelsOf('CORRECT').key]: lastCorrectable && (() => start('CORRECT', lastCorrectable)),
    u: () => go(listPosition.href),
  })
  return (
    <>
      <title>{`${ticket.ticketNumber} ${ticketTitle(ticket)} · Baton`}</title>
      <nav className="crumbs" aria-label="Breadcrumb">
        <Link href={listPosition.href}>Tickets</Link> / <span>{ticket.ticketNumber}</span>
      </nav>
      <div className="bar">
        <h1>{ticketTitle(ticket)}</h1>
        <div className="actions">
          {allowed.map(({ action, key, verb }, index) => (
            <button
              key={action}
              type="button"
              className={index === 0 ? 'primary' : undefined}
              aria-keyshortcuts={key}
              disabled={mutation.isPending}
              onClick={() => start(action, current)}
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
            actions={(assignment) => (
              <>
                {canRate(assignment) && (
                  <button type="button" className="quiet small" onClick={() => start('RATE', assignment)}>
                    {assignment.customerRating === null ? 'Rate' : 'Change rating'}
                    {assignment === lastRatable && <kbd>{labelsOf('RATE').key}</kbd>}
                  </button>
                )}
                {canCorrect(assignment) && (
                  <button type="button" className="quiet small" onClick={() => start('CORRECT', assignment)}>
                    {labelsOf('CORRECT').verb}
                    {assignment === lastCorrectable && <kbd>{labelsOf('CORRECT').key}</kbd>}
                  </button>
                )}
              </>
            )}
          />
        </div>
        <TicketDetails ticket={ticket} current={current} />
      </div>
      {opened && (
        <ActionDialog
          opened={opened}
          ticket={ticket}
          viewer={viewer}
          mutation={mutation}
          send={send}
          onClose={() => setOpened(null)}
        />
      )}
    </>
  )
}
