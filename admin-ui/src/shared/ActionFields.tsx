/** The fields of each action; their names are those of the mutation's input. */
import { useState } from 'react'
import type { CompletionStatus } from '../gql/graphql'
import { isDirect } from './actions'
import { EngineerPicker } from './EngineerPicker'
import type { Wish } from './mutate'
import type { Ticket, Turn } from './queries'
import { type Action, opensNext, TIERS } from './rules'
import { Field, hours, words } from './ui'

const REASONS: Partial<Record<Action, string>> = {
  ESCALATE: 'What the next tier needs to know',
  REASSIGN: 'Why it is handed over',
  REJECT: 'Why you decline',
  CANCEL: 'Why it is taken back',
  CORRECT: 'Why the hours were wrong',
}
const OUTCOMES: CompletionStatus[] = ['SUCCESS', 'PARTS_REQUIRED', 'CUSTOMER_UNAVAILABLE', 'FAILED']

// The API's own bounds, so that most mistakes are seen before anything is sent.
const LONG = { as: 'textarea', maxLength: 4000, rows: 3 } as const
const DECIMAL = { type: 'number', inputMode: 'decimal', min: 0, step: 0.01 } as const
const PART = [
  { name: 'partNumber', label: 'Part number', maxLength: 200 },
  { name: 'partName', label: 'Name', maxLength: 200 },
  { name: 'quantity', label: 'Quantity', type: 'number', inputMode: 'numeric', min: 1, max: 10_000 },
  { name: 'cost', label: 'Cost of one', ...DECIMAL, max: 9_999_999.99 },
] as const

type Completion = Wish<'COMPLETE'>['input']

interface FieldsProps {
  action: Action
  /** Needed by those that give it to the next engineer. */
  ticket?: Ticket
  turn?: Turn | undefined
  initial?: Wish['input'] | undefined
}

export function Fields({ action, ticket, turn, initial }: FieldsProps) {
  if (isDirect(action)) return null
  if (action === 'COMPLETE') return <CompleteFields initial={initial as Completion | undefined} />
  if (action === 'RATE') return <RateFields turn={turn} />
  const isOptional = action === 'ASSIGN'
  return (
    <>
      {ticket && opensNext(action) && <NextFields action={action} ticket={ticket} turn={turn} />}
      {action === 'CORRECT' && <HoursField initial={turn?.timeSpentHours} />}
      <Field
        {...LONG}
        name="reason"
        label={isOptional ? 'Reason (optional)' : 'Reason'}
        required={!isOptional}
        placeholder={REASONS[action]}
        defaultValue={initial && 'reason' in initial ? (initial.reason ?? '') : ''}
      />
    </>
  )
}

/** Who is next, and whose people are asked: a colleague of the same tier, or somebody of a tier that is chosen. */
function NextFields({ action, ticket, turn }: { action: Action; ticket: Ticket; turn: Turn | undefined }) {
  const isEscalation = action === 'ESCALATE'
  const before = turn?.assignmentTier ?? 0
  const [wanted, setWanted] = useState(0)
  // Who holds it may change while the form is open.
  const tier = action === 'REASSIGN' ? before : Math.max(wanted, before + 1)
  return (
    <>
      <EngineerPicker name={isEscalation ? 'nextEngineerId' : 'engineerId'} ticket={ticket} tier={tier} />
      {action !== 'REASSIGN' && (
        <Field
          as="select"
          name={isEscalation ? 'nextTier' : 'tier'}
          label="Tier"
          value={tier}
          onChange={(event) => setWanted(Number((event.target as HTMLSelectElement).value))}
        >
          {TIERS.filter(({ tier }) => tier > before).map(({ tier, name }) => (
            <option key={tier} value={tier}>
              {tier} {name}
            </option>
          ))}
        </Field>
      )}
    </>
  )
}

const HoursField = ({ initial }: { initial: string | null | undefined }) => (
  <Field
    {...DECIMAL}
    name="timeSpentHours"
    label="Hours"
    max={999.99}
    required
    defaultValue={initial ?? undefined}
  />
)

function CompleteFields({ initial }: { initial: Completion | undefined }) {
  const [parts, setParts] = useState(() => (initial?.partsUsed ?? []).map((part, id) => ({ ...part, id })))
  const remove = (id: number) => setParts((list) => list.filter((part) => part.id !== id))
  const add = () =>
    setParts((list) => [
      ...list,
      { id: (list.at(-1)?.id ?? -1) + 1, partNumber: '', partName: '', quantity: 1, cost: '' },
    ])
  return (
    <>
      <div className="pair">
        <Field as="select" name="completionStatus" label="Outcome" defaultValue={initial?.completionStatus}>
          {OUTCOMES.map((outcome) => (
            <option key={outcome} value={outcome}>
              {words(outcome)}
            </option>
          ))}
        </Field>
        <HoursField initial={initial?.timeSpentHours} />
      </div>
      <Field {...LONG} name="diagnosis" label="Diagnosis" defaultValue={initial?.diagnosis ?? ''} />
      <Field {...LONG} name="actionsTaken" label="Actions taken" defaultValue={initial?.actionsTaken ?? ''} />
      <fieldset className="parts">
        <legend>Parts used</legend>
        {parts.map((part, i) => (
          <div className="part" key={part.id}>
            {PART.map(({ name, ...field }) => (
              <Field
                key={name}
                {...field}
                name={`partsUsed.${i}.${name}`}
                required
                defaultValue={part[name]}
              />
            ))}
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
      <Field {...LONG} name="notes" label="Notes" defaultValue={initial?.notes ?? ''} />
    </>
  )
}

function RateFields({ turn }: { turn: Turn | undefined }) {
  return (
    <>
      <fieldset className="stars">
        <legend>
          The customer's rating of #{turn?.assignmentSequence} {turn?.engineer.name}
          {turn?.timeSpentHours && `, ${hours(turn.timeSpentHours)}`}
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
      <Field
        {...LONG}
        name="feedback"
        label="The customer's words (optional)"
        defaultValue={turn?.customerFeedback ?? ''}
      />
    </>
  )
}
