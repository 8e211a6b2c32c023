/** The dialog of an action: its form, validation errors, and conflicts with changes by others. */
import { useState } from 'react'
import { ActionFields } from '../../shared/ActionFields'
import { ActionForm } from '../../shared/ActionForm'
import { commandFrom, labelsOf } from '../../shared/actions'
import { humanize } from '../../shared/format'
import type { Command, useTicketMutation } from '../../shared/mutate'
import type { Assignment, Ticket, Viewer } from '../../shared/queries'
import { type Action, createsAssignment, isAllowed } from '../../shared/rules'
import { Dialog, Failure, Time } from '../../shared/ui'

/** Identifies the state that the form shows: it changes when another person changes the assignment. */
export function versionOf(action: Action, ticket: Ticket, assignment: Assignment | undefined) {
  const shown = createsAssignment(action)
    ? ticket.assignmentHistory.at(-1)
    : ticket.assignmentHistory.find(({ id }) => id === assignment?.id)
  return { sequence: shown?.assignmentSequence ?? 0, status: shown?.status }
}

export interface OpenAction {
  action: Action
  /** The assignment to change; the current one if the action creates the next. */
  assignment: Assignment | undefined
  /** The version when the form was opened or last submitted. */
  version: ReturnType<typeof versionOf>
}

interface Props {
  opened: OpenAction
  ticket: Ticket
  viewer: Viewer
  mutation: ReturnType<typeof useTicketMutation>
  send: (command: Command, opened: OpenAction) => void
  onClose: () => void
}

export function ActionDialog({ opened, ticket, viewer, mutation, send, onClose }: Props) {
  const [action, setAction] = useState(opened.action)
  const { verb } = labelsOf(action)
  const outcome = mutation.data
  const assignment = createsAssignment(action)
    ? ticket.assignmentHistory.find(({ isCurrent }) => isCurrent)
    : ticket.assignmentHistory.find(({ id }) => id === opened.assignment?.id)
  const version = versionOf(action, ticket, assignment)
  const isStillAllowed = isAllowed(action, viewer, ticket, assignment)
  const hasChanged =
    version.sequence !== opened.version.sequence ||
    version.status !== opened.version.status ||
    outcome?.kind === 'conflict'
  const hasConflict = !mutation.isPending && outcome?.kind !== 'done' && hasChanged
  const alternative =
    hasConflict && !isStillAllowed && createsAssignment(action)
      ? (['ASSIGN', 'REASSIGN'] as const).find((other) => isAllowed(other, viewer, ticket, assignment))
      : undefined
  const submit = (form: FormData) =>
    send(commandFrom(action, ticket.id, assignment, version.sequence, form), { action, assignment, version })
  const target =
    createsAssignment(action) || !assignment
      ? ticket.ticketNumber
      : `#${assignment.assignmentSequence} of ${ticket.ticketNumber}`
  return (
    <Dialog title={`${verb} ${target}`} onClose={onClose}>
      <ActionForm
        submit={!hasConflict ? verb : isStillAllowed ? `${verb} anyway` : null}
        otherButton={
          alternative && (
            <button type="button" className="primary" onClick={() => setAction(alternative)}>
              {labelsOf(alternative).verb} instead
            </button>
          )
        }
        isPending={mutation.isPending}
        invalid={outcome?.kind === 'invalid' ? outcome : null}
        onSubmit={submit}
        onClose={onClose}
      >
        {mutation.error && <Failure error={mutation.error} />}
        {outcome && outcome.kind !== 'done' && !hasConflict && (
          <p className={`failure ${outcome.kind}`} role="alert">
            {outcome.message}
          </p>
        )}
        {hasConflict && (
          <section className="conflict" role="alert">
            <strong>The ticket changed while this form was open.</strong>
            <CurrentState ticket={ticket} />
            {!isStillAllowed && (
              <p>
                {verb} is no longer possible.{' '}
                {alternative ? '' : 'Close the form to leave the ticket as it is.'}
              </p>
            )}
          </section>
        )}
        <ActionFields
          action={action}
          // Engineers do not choose colleagues: a rule does.
          {...(viewer.role !== 'ENGINEER' && { ticket })}
          assignment={assignment}
        />
      </ActionForm>
    </Dialog>
  )
}

/** The latest assignment of the ticket: its status, since when and why. */
function CurrentState({ ticket }: { ticket: Ticket }) {
  const last = ticket.assignmentHistory.at(-1)
  if (!last)
    return <p>The ticket is {humanize(ticket.status).toLowerCase()} and has not been assigned yet.</p>
  const since = last.completedAt ?? last.rejectedAt ?? last.startedAt ?? last.acceptedAt ?? last.assignedAt
  const reason = last.rejectionReason ?? last.cancellationReason ?? last.diagnosis ?? last.assignmentReason
  return (
    <p>
      {last.isCurrent ? <b>Assigned to {last.engineer.name}</b> : <b>Unassigned</b>} (#
      {last.assignmentSequence}, {last.assignmentTierName}
      {!last.isCurrent && `, ${last.engineer.name}`}): {humanize(last.status).toLowerCase()}{' '}
      <Time at={since} />
      {last.isCurrent && last.assignedBy && (
        <>
          , assigned by {last.assignedBy} <Time at={last.assignedAt} />
        </>
      )}
      .{reason && <q>{reason}</q>}
    </p>
  )
}
