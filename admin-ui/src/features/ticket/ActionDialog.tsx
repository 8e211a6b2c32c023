/** One dialog for every action: its form, what is wrong with it, and what somebody else did in the meantime. */
import { type FormEvent, type ReactNode, useState } from 'react'
import { Fields } from '../../shared/ActionFields'
import { wishOf, wordsOf } from '../../shared/actions'
import type { useAct, Wish } from '../../shared/mutate'
import type { Ticket, Turn, Viewer } from '../../shared/queries'
import { type Action, isLegal, opensNext } from '../../shared/rules'
import { Dialog, Failure, type Invalid, InvalidField, Time, words } from '../../shared/ui'

interface FormProps {
  children: ReactNode
  /** What the button says that sends the form; null when it cannot be sent. */
  submit: string | null
  other?: ReactNode
  busy?: boolean
  invalid?: Invalid
  close?: string
  onSubmit: (form: FormData) => void
  onClose: () => void
}

export function WishForm({
  children,
  submit,
  other,
  busy = false,
  invalid = null,
  close = 'Close',
  onSubmit,
  onClose,
}: FormProps) {
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (submit && !busy) onSubmit(new FormData(event.currentTarget))
  }
  return (
    <form
      onSubmit={send}
      onKeyDown={(event) =>
        event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.currentTarget.requestSubmit()
      }
    >
      <InvalidField value={invalid}>{children}</InvalidField>
      <footer>
        <button type="button" onClick={onClose}>
          {close}
        </button>
        {other}
        {submit && (
          <button type="submit" className="primary" disabled={busy}>
            {busy ? 'Saving…' : submit}
          </button>
        )}
      </footer>
    </form>
  )
}

/** What somebody saw when they began: as long as it is the same, they know what they decide on. */
export function stampOf(action: Action, ticket: Ticket, turn: Turn | undefined) {
  const seen = opensNext(action)
    ? ticket.assignmentHistory.at(-1)
    : ticket.assignmentHistory.find(({ id }) => id === turn?.id)
  return { sequence: seen?.assignmentSequence ?? 0, status: seen?.status }
}

export interface Begun {
  action: Action
  /** The assignment that it is about: for a hand-over, who holds the ticket. */
  turn: Turn | undefined
  seen: ReturnType<typeof stampOf>
}

interface Props {
  begun: Begun
  ticket: Ticket
  viewer: Viewer
  attempt: ReturnType<typeof useAct>
  send: (wish: Wish, begun: Begun) => void
  onClose: () => void
}

export function ActionDialog({ begun, ticket, viewer, attempt, send, onClose }: Props) {
  const [action, setAction] = useState(begun.action)
  const { verb } = wordsOf(action)
  const answer = attempt.data
  const turn = opensNext(action)
    ? ticket.assignmentHistory.find(({ isCurrent }) => isCurrent)
    : ticket.assignmentHistory.find(({ id }) => id === begun.turn?.id)
  const now = stampOf(action, ticket, turn)
  const isLegalNow = isLegal(action, viewer, ticket, turn)
  const hasMoved =
    now.sequence !== begun.seen.sequence || now.status !== begun.seen.status || answer?.kind === 'conflict'
  const inConflict = !attempt.isPending && answer?.kind !== 'done' && hasMoved
  const instead =
    inConflict && !isLegalNow && opensNext(action)
      ? (['ASSIGN', 'REASSIGN'] as const).find((other) => isLegal(other, viewer, ticket, turn))
      : undefined
  const submit = (form: FormData) =>
    send(wishOf(action, ticket.id, turn, now.sequence, form), { action, turn, seen: now })
  const about =
    opensNext(action) || !turn ? ticket.ticketNumber : `#${turn.assignmentSequence} of ${ticket.ticketNumber}`
  return (
    <Dialog title={`${verb} ${about}`} onClose={onClose}>
      <WishForm
        submit={!inConflict ? verb : isLegalNow ? `${verb} anyway` : null}
        other={
          instead && (
            <button type="button" className="primary" onClick={() => setAction(instead)}>
              {wordsOf(instead).verb} instead
            </button>
          )
        }
        close={inConflict ? 'Leave it' : 'Close'}
        busy={attempt.isPending}
        invalid={answer?.kind === 'invalid' ? answer : null}
        onSubmit={submit}
        onClose={onClose}
      >
        {attempt.error && <Failure error={attempt.error} />}
        {answer && answer.kind !== 'done' && !inConflict && (
          <p className={`failure ${answer.kind}`} role="alert">
            {answer.message}
          </p>
        )}
        {inConflict && (
          <section className="conflict" role="alert">
            <strong>This changed while you were looking.</strong>
            <StandsNow ticket={ticket} />
            {!isLegalNow && (
              <p>
                {verb} is no longer possible{instead ? '.' : ': leave it as it is.'}
              </p>
            )}
          </section>
        )}
        <Fields action={action} ticket={ticket} turn={turn} />
      </WishForm>
    </Dialog>
  )
}

/** Who holds the ticket now, since when and why; or how it came that nobody does. */
function StandsNow({ ticket }: { ticket: Ticket }) {
  const last = ticket.assignmentHistory.at(-1)
  if (!last) return <p>Nobody has held it yet. The ticket is {words(ticket.status).toLowerCase()}.</p>
  const since = last.completedAt ?? last.rejectedAt ?? last.startedAt ?? last.acceptedAt ?? last.assignedAt
  const why = last.rejectionReason ?? last.cancellationReason ?? last.diagnosis ?? last.assignmentReason
  return (
    <p>
      {last.isCurrent ? <b>{last.engineer.name} holds it</b> : <b>Nobody holds it</b>} (#
      {last.assignmentSequence}, {last.assignmentTierName}
      {!last.isCurrent && `, ${last.engineer.name}`}): {words(last.status).toLowerCase()} <Time at={since} />
      {last.isCurrent && last.assignedBy && (
        <>
          , given by {last.assignedBy} <Time at={last.assignedAt} />
        </>
      )}
      .{why && <q>{why}</q>}
    </p>
  )
}
