import { useState } from 'react'
import { Link } from 'wouter'
import type { AssignmentStatus } from '../../gql/graphql'
import { ActionFields } from '../../shared/ActionFields'
import { ActionForm } from '../../shared/ActionForm'
import { ACTIONS, type EngineerAction, engineerCommand, isOneClick, labelsOf } from '../../shared/actions'
import { ticketTitle } from '../../shared/format'
import type { Command } from '../../shared/mutate'
import { type Job, useMyWork, type Viewer } from '../../shared/queries'
import { isAllowed } from '../../shared/rules'
import { Badge, Dialog, Empty, Failure, Skeleton, Time } from '../../shared/ui'
import { OutboxPanel, useOutbox } from './OutboxPanel'
import type { Outbox, OutboxItem } from './outbox'

const RESULTING_STATUS: Record<EngineerAction, AssignmentStatus> = {
  ACCEPT: 'ACCEPTED',
  START: 'IN_PROGRESS',
  COMPLETE: 'COMPLETED',
  REJECT: 'REJECTED',
}
const ENGINEER_ACTIONS = ACTIONS.filter(
  (labels): labels is typeof labels & { action: EngineerAction } => labels.action in RESULTING_STATUS,
)

/** The action of the open dialog: on a job, or the edit of a refused command. */
type OpenAction = { action: EngineerAction; job: Job } | { action: EngineerAction; refused: OutboxItem }

/** An engineer's jobs, for phones and unreliable networks. */
export function MyWork({ viewer, outbox }: { viewer: Viewer; outbox: Outbox }) {
  const query = useMyWork()
  const { items } = useOutbox(outbox)
  const [opened, setOpened] = useState<OpenAction | null>(null)
  const jobs = (query.data ?? []).map((job) => withPending(job, items))
  const start = (action: EngineerAction, job: Job) => {
    if (isOneClick(action)) outbox.add(engineerCommand(action, job.id), job.ticket)
    else setOpened({ action, job })
  }
  const submit = (command: Command<EngineerAction>) => {
    if (opened && 'refused' in opened) outbox.retry(opened.refused, command)
    else if (opened) outbox.add(command, opened.job.ticket)
    setOpened(null)
  }
  return (
    <>
      <title>My work · Baton</title>
      <div className="bar">
        <h1>My work {jobs.length > 0 && <small>{jobs.length}</small>}</h1>
      </div>
      <OutboxPanel
        outbox={outbox}
        onEdit={(refused) => setOpened({ action: refused.command.action, refused })}
      />
      {query.isPending ? (
        <Skeleton rows={8} />
      ) : !query.data ? (
        <Failure error={query.error ?? new Error('The server returned no jobs.')} retry={query.refetch} />
      ) : jobs.length === 0 ? (
        <Empty title="Nothing to do.">
          {viewer.engineer
            ? 'You have no active assignments.'
            : 'Only engineers have assignments. Sign in as an engineer to see yours.'}
        </Empty>
      ) : (
        <ul className="jobs">
          {jobs.map((job) => (
            <JobCard
              key={job.id}
              job={job}
              viewer={viewer}
              isPending={items.some((item) => item.command.input.assignmentId === job.id)}
              start={start}
            />
          ))}
        </ul>
      )}
      {opened && <JobDialog opened={opened} onSubmit={submit} onClose={() => setOpened(null)} />}
    </>
  )
}

/** The job with the status that it will have when the pending commands are sent. A failed one can be sent again. */
function withPending(job: Job, items: readonly OutboxItem[]): Job {
  const last = items.findLast(
    ({ command, refusal }) =>
      command.input.assignmentId === job.id && (!refusal || refusal.kind === 'failed'),
  )
  return last ? { ...job, status: RESULTING_STATUS[last.command.action] } : job
}

function JobCard({
  job,
  viewer,
  isPending,
  start,
}: {
  job: Job
  viewer: Viewer
  isPending: boolean
  start: (action: EngineerAction, job: Job) => void
}) {
  const { ticket } = job
  // No engineer action depends on the ticket's status.
  const allowed = ENGINEER_ACTIONS.filter(({ action }) =>
    isAllowed(action, viewer, { status: 'ASSIGNED' }, job),
  )
  const equipment = [ticket.equipment?.manufacturer, ticket.equipment?.model, ticket.equipment?.serialNumber]
    .filter(Boolean)
    .join(' · ')
  return (
    <li className="card job">
      <header>
        <h2>
          <Link href={`/tickets/${encodeURIComponent(ticket.id)}`}>{ticketTitle(ticket)}</Link>
        </h2>
        <Badge code={job.status} />
      </header>
      <p className="muted">
        {ticket.ticketNumber} · {ticket.customerName} {equipment && <> · {equipment}</>}
      </p>
      {ticket.issueDescription && <p>{ticket.issueDescription}</p>}
      {job.assignmentReason && <p className="muted">“{job.assignmentReason}”</p>}
      <p className="muted">
        <Badge code={ticket.priority} /> Assigned <Time at={job.assignedAt} />
        {isPending && ' · not sent yet'}
      </p>
      <footer className="job-actions">
        {allowed.map(({ action, verb }, index) => (
          <button
            key={action}
            type="button"
            className={index === 0 ? 'primary' : undefined}
            onClick={() => start(action, job)}
          >
            {verb}
          </button>
        ))}
      </footer>
    </li>
  )
}

function JobDialog({
  opened,
  onSubmit,
  onClose,
}: {
  opened: OpenAction
  onSubmit: (command: Command<EngineerAction>) => void
  onClose: () => void
}) {
  const { action } = opened
  const { verb } = labelsOf(action)
  const refused = 'refused' in opened ? opened.refused : null
  const { ticketNumber } = 'refused' in opened ? opened.refused : opened.job.ticket
  const assignmentId = 'refused' in opened ? opened.refused.command.input.assignmentId : opened.job.id
  const invalid = refused?.refusal?.kind === 'invalid' ? refused.refusal : null
  return (
    <Dialog title={`${verb} ${ticketNumber}`} onClose={onClose}>
      <ActionForm
        submit={verb}
        invalid={invalid}
        onSubmit={(form) => onSubmit(engineerCommand(action, assignmentId, form))}
        onClose={onClose}
      >
        <ActionFields action={action} initial={refused?.command.input} />
      </ActionForm>
    </Dialog>
  )
}
