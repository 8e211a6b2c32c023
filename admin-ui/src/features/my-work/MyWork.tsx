import { useState } from 'react'
import { Link } from 'wouter'
import type { AssignmentStatus } from '../../gql/graphql'
import { Fields } from '../../shared/ActionFields'
import { ACTIONS, isDirect, wordsOf, workOf } from '../../shared/actions'
import type { Wish } from '../../shared/mutate'
import { type Job, useMyWork, type Viewer } from '../../shared/queries'
import { isLegal } from '../../shared/rules'
import { Badge, Dialog, Empty, Failure, Skeleton, Time, titleOf } from '../../shared/ui'
import { WishForm } from '../ticket/ActionDialog'
import { OutboxPanel, useOutbox } from './OutboxPanel'
import type { Outbox, Waiting, Work } from './outbox'

const BECOMES: Record<Work, AssignmentStatus> = {
  ACCEPT: 'ACCEPTED',
  START: 'IN_PROGRESS',
  COMPLETE: 'COMPLETED',
  REJECT: 'REJECTED',
}
const WORK = ACTIONS.filter((known): known is typeof known & { action: Work } => known.action in BECOMES)

type Doing = { action: Work; job: Job } | { action: Work; refused: Waiting }

/** An engineer's own jobs, for one thumb and a bad network. */
export function MyWork({ viewer, outbox }: { viewer: Viewer; outbox: Outbox }) {
  const query = useMyWork()
  const { items } = useOutbox(outbox)
  const [doing, setDoing] = useState<Doing | null>(null)
  const jobs = (query.data ?? []).map((job) => withWaiting(job, items))
  const begin = (action: Work, job: Job) => {
    if (isDirect(action)) outbox.add(workOf(action, job.id), job.ticket)
    else setDoing({ action, job })
  }
  const submit = (wish: Wish<Work>) => {
    if (doing && 'refused' in doing) outbox.retry(doing.refused, wish)
    else if (doing) outbox.add(wish, doing.job.ticket)
    setDoing(null)
  }
  return (
    <>
      <title>My work · Baton</title>
      <div className="bar">
        <h1>My work {jobs.length > 0 && <small>{jobs.length}</small>}</h1>
      </div>
      <OutboxPanel
        outbox={outbox}
        onCorrect={(refused) => setDoing({ action: refused.wish.action, refused })}
      />
      {query.isPending ? (
        <Skeleton rows={8} />
      ) : !query.data ? (
        <Failure error={query.error ?? new Error('Nothing came.')} retry={query.refetch} />
      ) : jobs.length === 0 ? (
        <Empty title="Nothing to do.">
          {viewer.engineer
            ? 'You hold no ticket now.'
            : 'Only engineers are given work, and you are not signed in as one.'}
        </Empty>
      ) : (
        <ul className="jobs">
          {jobs.map((job) => (
            <JobCard
              key={job.id}
              job={job}
              viewer={viewer}
              isWaiting={items.some((item) => item.wish.input.assignmentId === job.id)}
              begin={begin}
            />
          ))}
        </ul>
      )}
      {doing && <DoDialog doing={doing} onSubmit={submit} onClose={() => setDoing(null)} />}
    </>
  )
}

/** The job as it will be once what waits has been sent. */
function withWaiting(job: Job, items: readonly Waiting[]): Job {
  const last = items.findLast((item) => item.wish.input.assignmentId === job.id && !item.refusal)
  return last ? { ...job, status: BECOMES[last.wish.action] } : job
}

function JobCard({
  job,
  viewer,
  isWaiting,
  begin,
}: {
  job: Job
  viewer: Viewer
  isWaiting: boolean
  begin: (action: Work, job: Job) => void
}) {
  const { ticket } = job
  // The ticket of an active assignment is open, and none of these opens another.
  const legal = WORK.filter(({ action }) => isLegal(action, viewer, { status: 'ASSIGNED' }, job))
  const device = [ticket.equipment?.manufacturer, ticket.equipment?.model, ticket.equipment?.serialNumber]
    .filter(Boolean)
    .join(' · ')
  return (
    <li className="card job">
      <header>
        <h2>
          <Link href={`/tickets/${encodeURIComponent(ticket.id)}`}>{titleOf(ticket)}</Link>
        </h2>
        <Badge code={job.status} />
      </header>
      <p className="muted">
        {ticket.ticketNumber} · {ticket.customerName} {device && <> · {device}</>}
      </p>
      {ticket.issueDescription && <p>{ticket.issueDescription}</p>}
      {job.assignmentReason && <p className="muted">“{job.assignmentReason}”</p>}
      <p className="muted">
        <Badge code={ticket.priority} /> Given <Time at={job.assignedAt} />
        {isWaiting && ' · waits to be sent'}
      </p>
      <footer className="job-actions">
        {legal.map(({ action, verb }, place) => (
          <button
            key={action}
            type="button"
            className={place === 0 ? 'primary' : undefined}
            onClick={() => begin(action, job)}
          >
            {verb}
          </button>
        ))}
      </footer>
    </li>
  )
}

function DoDialog({
  doing,
  onSubmit,
  onClose,
}: {
  doing: Doing
  onSubmit: (wish: Wish<Work>) => void
  onClose: () => void
}) {
  const { action } = doing
  const { verb } = wordsOf(action)
  const refused = 'refused' in doing ? doing.refused : null
  const { ticketNumber } = 'refused' in doing ? doing.refused : doing.job.ticket
  const assignmentId = 'refused' in doing ? doing.refused.wish.input.assignmentId : doing.job.id
  const invalid = refused?.refusal?.kind === 'invalid' ? refused.refusal : null
  return (
    <Dialog title={`${verb} ${ticketNumber}`} onClose={onClose}>
      <WishForm
        submit={verb}
        invalid={invalid}
        onSubmit={(form) => onSubmit(workOf(action, assignmentId, form))}
        onClose={onClose}
      >
        <Fields action={action} initial={refused?.wish.input} />
      </WishForm>
    </Dialog>
  )
}
