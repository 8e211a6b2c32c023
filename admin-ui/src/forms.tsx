/** The fields of each action, and the wish that they make. */
import { useEffect, useRef, useState } from 'react'
import type { Wish } from './act'
import type { CompletionStatus } from './gql/graphql'
import type { Work } from './outbox'
import { type Engineer, type Ticket, type Turn, useEngineers } from './queries'
import { type Action, TIERS } from './rules'
import { Failure, Field, hours, Skeleton, words } from './ui'

/** In the order in which they are offered. */
const WORDS: Record<Action, { key: string; verb: string; done: string }> = {
  ASSIGN: { key: 'a', verb: 'Assign', done: 'Ticket assigned' },
  ACCEPT: { key: 'y', verb: 'Accept', done: 'Assignment accepted' },
  START: { key: 's', verb: 'Start', done: 'Work started' },
  COMPLETE: { key: 'c', verb: 'Complete', done: 'Assignment completed' },
  ESCALATE: { key: 'e', verb: 'Escalate', done: 'Ticket escalated' },
  REASSIGN: { key: 'r', verb: 'Reassign', done: 'Ticket reassigned' },
  REJECT: { key: 'n', verb: 'Reject', done: 'Assignment rejected' },
  CANCEL: { key: 'x', verb: 'Cancel', done: 'Assignment cancelled' },
  RATE: { key: 't', verb: 'Rate', done: 'Rating kept' },
  CORRECT: { key: 'h', verb: 'Correct hours', done: 'Hours corrected' },
}
export const wordsOf = (action: Action) => WORDS[action]
export const ACTIONS = (Object.keys(WORDS) as Action[]).map((action) => ({ action, ...WORDS[action] }))

/** Those need nothing but the wish. */
export const isDirect = (action: Action): action is 'ACCEPT' | 'START' =>
  action === 'ACCEPT' || action === 'START'

const text = (form: FormData, name: string) => String(form.get(name) ?? '')

export function workOf(action: Work, assignmentId: string, form = new FormData()): Wish<Work> {
  switch (action) {
    case 'ACCEPT':
    case 'START':
      return { action, input: { assignmentId } }
    case 'REJECT':
      return { action, input: { assignmentId, reason: text(form, 'reason') } }
    case 'COMPLETE':
      return {
        action,
        input: {
          assignmentId,
          completionStatus: text(form, 'completionStatus') as CompletionStatus,
          timeSpentHours: text(form, 'timeSpentHours'),
          diagnosis: text(form, 'diagnosis'),
          actionsTaken: text(form, 'actionsTaken'),
          notes: text(form, 'notes'),
          partsUsed: partsOf(form),
        },
      }
  }
}

function partsOf(form: FormData) {
  const parts = []
  for (let i = 0; form.has(`partsUsed.${i}.partNumber`); i++) {
    const of = (name: string) => text(form, `partsUsed.${i}.${name}`)
    parts.push({
      partNumber: of('partNumber'),
      partName: of('partName'),
      quantity: Number(of('quantity')),
      cost: of('cost'),
    })
  }
  return parts
}

/** `expectedSequence` is the highest that was shown: whoever came in between is not overwritten. */
export function wishOf(
  action: Action,
  ticketId: string,
  turn: Turn | undefined,
  expectedSequence: number,
  form: FormData,
): Wish {
  const assignmentId = turn?.id ?? ''
  switch (action) {
    case 'ASSIGN':
      return {
        action,
        input: {
          ticketId,
          expectedSequence,
          engineerId: text(form, 'engineerId'),
          tier: Number(form.get('tier')),
          reason: text(form, 'reason'),
        },
      }
    case 'ESCALATE':
      return {
        action,
        input: {
          ticketId,
          expectedSequence,
          nextEngineerId: text(form, 'nextEngineerId'),
          nextTier: Number(form.get('nextTier')),
          reason: text(form, 'reason'),
        },
      }
    case 'REASSIGN':
      return {
        action,
        input: {
          ticketId,
          expectedSequence,
          engineerId: text(form, 'engineerId'),
          reason: text(form, 'reason'),
        },
      }
    case 'CANCEL':
      return { action, input: { assignmentId, reason: text(form, 'reason') } }
    case 'RATE':
      return {
        action,
        input: { assignmentId, rating: Number(form.get('rating')), feedback: text(form, 'feedback') },
      }
    case 'CORRECT':
      return {
        action,
        input: {
          assignmentId,
          timeSpentHours: text(form, 'timeSpentHours'),
          reason: text(form, 'reason'),
        },
      }
    default:
      return workOf(action, assignmentId, form)
  }
}

/* ---- giving it to the next engineer -------------------------------------------------------- */
interface Suggestion extends Engineer {
  knows: string | undefined
  had: Turn | undefined
}

/** Who takes work now: those who have not had the ticket, then those who know such equipment, then those who hold least. */
function suggestions(engineers: Engineer[], ticket: Ticket): Suggestion[] {
  const kind = ticket.equipment?.category?.toLowerCase()
  const holder = ticket.currentAssignment?.engineer.id
  return engineers
    .filter((engineer) => engineer.isActive && engineer.id !== holder)
    .map((engineer) => ({
      ...engineer,
      knows: engineer.skills.find((skill) => skill.toLowerCase() === kind),
      had: ticket.assignmentHistory.findLast((turn) => turn.engineer.id === engineer.id),
    }))
    .sort(
      (a, b) =>
        Number(!!a.had) - Number(!!b.had) ||
        Number(!!b.knows) - Number(!!a.knows) ||
        a.activeAssignments - b.activeAssignments ||
        a.name.localeCompare(b.name),
    )
}

function EngineerPicker({ name, ticket }: { name: string; ticket: Ticket }) {
  const engineers = useEngineers()
  const [sought, setSought] = useState('')
  const [chosen, setChosen] = useState<string>()
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => box.current?.focus(), [])
  const matches = ({ name, region, skills }: Engineer) =>
    `${name} ${region ?? ''} ${skills.join(' ')}`.toLowerCase().includes(sought.toLowerCase())
  const shown = suggestions(engineers.data ?? [], ticket).filter(matches)
  const kind = ticket.equipment?.category
  // Fixed when it is first seen: the order may change while somebody writes the reason.
  if (shown[0] && !shown.some(({ id }) => id === chosen)) setChosen(shown[0].id)
  useEffect(() => box.current?.setCustomValidity(shown.length > 0 ? '' : 'There is nobody to choose.'))
  return (
    <fieldset className="picker">
      <legend>Engineer</legend>
      <Field name={name} label="Find by name, region or skill">
        {(props) => (
          <input
            {...props}
            name=""
            type="search"
            value={sought}
            ref={box}
            onChange={(event) => {
              setSought(event.target.value)
              setChosen(undefined)
            }}
          />
        )}
      </Field>
      <div className="choices">
        {engineers.isPending && <Skeleton rows={4} />}
        {engineers.isError && <Failure error={engineers.error} retry={engineers.refetch} />}
        {shown.map((engineer, place) => (
          <label key={engineer.id}>
            <input
              type="radio"
              name={name}
              value={engineer.id}
              required
              checked={engineer.id === chosen}
              onChange={() => setChosen(engineer.id)}
            />
            <span className="who">
              {engineer.name}{' '}
              <small>
                L{engineer.level}
                {engineer.region && ` · ${engineer.region}`}
              </small>
            </span>
            <span className="why">
              {engineer.had ? (
                <b className="tone-amber">had it as #{engineer.had.assignmentSequence}</b>
              ) : engineer.knows ? (
                <b className="tone-green">knows {engineer.knows}</b>
              ) : (
                kind && <span>no {kind}</span>
              )}
              <span>holds {engineer.activeAssignments}</span>
              {place === 0 && !sought && <b className="tone-teal">suggested</b>}
            </span>
          </label>
        ))}
        {engineers.isSuccess && shown.length === 0 && (
          <p className="muted">Nobody who takes work now matches.</p>
        )}
      </div>
    </fieldset>
  )
}

/* ---- all fields ------------------------------------------------------------------------------ */
const REASONS: Partial<Record<Action, string>> = {
  ESCALATE: 'What the next tier needs to know',
  REASSIGN: 'Why it is handed over',
  REJECT: 'Why you decline',
  CANCEL: 'Why it is taken back',
  CORRECT: 'Why the hours were wrong',
}
const OUTCOMES: CompletionStatus[] = ['SUCCESS', 'PARTS_REQUIRED', 'CUSTOMER_UNAVAILABLE', 'FAILED']
const MAX_TEXT = 4000

type Completion = Wish<'COMPLETE'>['input']
type FieldsProps = {
  action: Action
  ticket?: Ticket | undefined
  turn?: Turn | undefined
  initial?: Wish['input'] | undefined
}

export function Fields({ action, ticket, turn, initial }: FieldsProps) {
  if (action === 'COMPLETE') return <CompleteFields initial={initial as Completion | undefined} />
  if (action === 'RATE') return <RateFields turn={turn} />
  if (isDirect(action)) return null
  const [tier, lowest] =
    action === 'ESCALATE'
      ? ['nextTier', (ticket?.currentAssignment && turn ? turn.assignmentTier : 0) + 1]
      : ['tier', 1]
  const optional = action === 'ASSIGN'
  const given = initial && 'reason' in initial ? (initial.reason ?? '') : ''
  return (
    <>
      {ticket && (action === 'ASSIGN' || action === 'ESCALATE' || action === 'REASSIGN') && (
        <EngineerPicker name={action === 'ESCALATE' ? 'nextEngineerId' : 'engineerId'} ticket={ticket} />
      )}
      {(action === 'ASSIGN' || action === 'ESCALATE') && (
        <Field name={tier} label="Tier">
          {(props) => (
            <select {...props}>
              {TIERS.filter((known) => known.tier >= lowest).map(({ tier, name }) => (
                <option key={tier} value={tier}>
                  {tier} {name}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      {action === 'CORRECT' && <HoursField initial={turn?.timeSpentHours} />}
      <Field name="reason" label={optional ? 'Reason (optional)' : 'Reason'}>
        {(props) => (
          <textarea
            {...props}
            rows={3}
            maxLength={MAX_TEXT}
            required={!optional}
            placeholder={REASONS[action]}
            defaultValue={given}
          />
        )}
      </Field>
    </>
  )
}

function CompleteFields({ initial }: { initial: Completion | undefined }) {
  const [parts, setParts] = useState(() => (initial?.partsUsed ?? []).map((part, id) => ({ ...part, id })))
  const remove = (id: number) => setParts((list) => list.filter((part) => part.id !== id))
  const add = () =>
    setParts((list) => [
      ...list,
      { id: (list.at(-1)?.id ?? -1) + 1, partNumber: '', partName: '', quantity: 1, cost: '' },
    ])
  const long = (name: 'diagnosis' | 'actionsTaken' | 'notes', label: string) => (
    <Field name={name} label={label}>
      {(props) => <textarea {...props} rows={2} maxLength={MAX_TEXT} defaultValue={initial?.[name] ?? ''} />}
    </Field>
  )
  return (
    <>
      <div className="pair">
        <Field name="completionStatus" label="Outcome">
          {(props) => (
            <select {...props} defaultValue={initial?.completionStatus}>
              {OUTCOMES.map((outcome) => (
                <option key={outcome} value={outcome}>
                  {words(outcome)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <HoursField initial={initial?.timeSpentHours} />
      </div>
      {long('diagnosis', 'Diagnosis')}
      {long('actionsTaken', 'Actions taken')}
      <fieldset className="parts">
        <legend>Parts used</legend>
        {parts.map((part, i) => (
          <div className="part" key={part.id}>
            <Field name={`partsUsed.${i}.partNumber`} label="Part number">
              {(props) => <input {...props} maxLength={200} required defaultValue={part.partNumber} />}
            </Field>
            <Field name={`partsUsed.${i}.partName`} label="Name">
              {(props) => <input {...props} maxLength={200} required defaultValue={part.partName} />}
            </Field>
            <Field name={`partsUsed.${i}.quantity`} label="Quantity">
              {(props) => (
                <input
                  {...props}
                  type="number"
                  inputMode="numeric"
                  min="1"
                  max="10000"
                  required
                  defaultValue={part.quantity}
                />
              )}
            </Field>
            <Field name={`partsUsed.${i}.cost`} label="Cost of one">
              {(props) => (
                <input
                  {...props}
                  type="number"
                  inputMode="decimal"
                  min="0"
                  max="9999999.99"
                  step="0.01"
                  required
                  defaultValue={part.cost}
                />
              )}
            </Field>
            <button
              type="button"
              className="quiet"
              aria-label={`Remove part ${i + 1}`}
              onClick={() => remove(part.id)}
            >
              ×
            </button>
          </div>
        ))}
        <button type="button" onClick={add}>
          Add a part
        </button>
      </fieldset>
      {long('notes', 'Notes')}
    </>
  )
}

function HoursField({ initial }: { initial: string | null | undefined }) {
  return (
    <Field name="timeSpentHours" label="Hours">
      {(props) => (
        <input
          {...props}
          type="number"
          inputMode="decimal"
          min="0"
          max="999.99"
          step="0.01"
          required
          defaultValue={initial ?? undefined}
        />
      )}
    </Field>
  )
}

function RateFields({ turn }: { turn: Turn | undefined }) {
  return (
    <>
      <fieldset className="stars">
        <legend>
          The customer's rating of #{turn?.assignmentSequence} {turn?.engineer.name}
          {turn?.timeSpentHours != null && `, ${hours(turn.timeSpentHours)}`}
        </legend>
        {[1, 2, 3, 4, 5].map((n) => (
          <label key={n}>
            <input
              type="radio"
              name="rating"
              value={n}
              required
              defaultChecked={n === turn?.customerRating}
            />
            {n} ★
          </label>
        ))}
      </fieldset>
      <Field name="feedback" label="The customer's words (optional)">
        {(props) => (
          <textarea {...props} rows={3} maxLength={MAX_TEXT} defaultValue={turn?.customerFeedback ?? ''} />
        )}
      </Field>
    </>
  )
}
