/** The form fields of each action, named like the fields of the mutation's input. */
import { useState } from 'react'
import type { CompletionStatus } from '../gql/graphql'
import { isOneClick } from './actions'
import { EngineerPicker } from './EngineerPicker'
import { formatHours, humanize } from './format'
import type { Command } from './mutate'
import type { Assignment, Ticket } from './queries'
import { type Action, createsAssignment, TIERS } from './rules'
import { Field } from './ui'

const REASON_HINTS: Partial<Record<Action, string>> = {
  ESCALATE: 'What the next tier needs to know',
  REASSIGN: 'Why you reassign the ticket',
  REJECT: 'Why you reject the assignment',
  CANCEL: 'Why you cancel the assignment',
  CORRECT: 'Why the hours are wrong',
}
const OUTCOMES: CompletionStatus[] = ['SUCCESS', 'PARTS_REQUIRED', 'CUSTOMER_UNAVAILABLE', 'FAILED']

// The API's limits, so that the browser shows most errors before the form is sent.
const LONG = { as: 'textarea', maxLength: 4000, rows: 3 } as const
const DECIMAL = { type: 'number', inputMode: 'decimal', min: 0, step: 0.01 } as const
const PART = [
  { name: 'partNumber', label: 'Part number', maxLength: 200 },
  { name: 'partName', label: 'Name', maxLength: 200 },
  { name: 'quantity', label: 'Quantity', type: 'number', inputMode: 'numeric', min: 1, max: 10_000 },
  { name: 'cost', label: 'Unit cost', ...DECIMAL, max: 9_999_999.99 },
] as const

type Completion = Command<'COMPLETE'>['input']

interface Props {
  action: Action
  /** Required by actions that create an assignment. */
  ticket?: Ticket
  assignment?: Assignment | undefined
  initial?: Command['input'] | undefined
}

export function ActionFields({ action, ticket, assignment, initial }: Props) {
  if (isOneClick(action)) return null
  if (action === 'COMPLETE') return <CompleteFields initial={initial as Completion | undefined} />
  if (action === 'RATE') return <RateFields assignment={assignment} />
  const isOptional = action === 'ASSIGN'
  return (
    <>
      {ticket && createsAssignment(action) && (
        <AssigneeFields action={action} ticket={ticket} assignment={assignment} />
      )}
      {action === 'CORRECT' && <HoursField initial={assignment?.timeSpentHours} />}
      <Field
        {...LONG}
        name="reason"
        label={isOptional ? 'Reason (optional)' : 'Reason'}
        required={!isOptional}
        placeholder={REASON_HINTS[action]}
        defaultValue={initial && 'reason' in initial ? (initial.reason ?? '') : ''}
      />
    </>
  )
}

/** The next engineer and their tier. A reassignment stays within the tier. */
function AssigneeFields({
  action,
  ticket,
  assignment,
}: {
  action: Action
  ticket: Ticket
  assignment: Assignment | undefined
}) {
  const isEscalation = action === 'ESCALATE'
  const currentTier = assignment?.assignmentTier ?? 0
  const [chosenTier, setChosenTier] = useState(0)
  // The current assignment may change while the form is open.
  const tier = action === 'REASSIGN' ? currentTier : Math.max(chosenTier, currentTier + 1)
  return (
    <>
      <EngineerPicker name={isEscalation ? 'nextEngineerId' : 'engineerId'} ticket={ticket} tier={tier} />
      {action !== 'REASSIGN' && (
        <Field
          as="select"
          name={isEscalation ? 'nextTier' : 'tier'}
          label="Tier"
          value={tier}
          onChange={(event) => setChosenTier(Number((event.target as HTMLSelectElement).value))}
        >
          {TIERS.filter(({ tier }) => tier > currentTier).map(({ tier, name }) => (
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
              {humanize(outcome)}
            </option>
          ))}
        </Field>
        <HoursField initial={initial?.timeSpentHours} />
      </div>
      <Field {...LONG} name="diagnosis" label="Diagnosis" defaultValue={initial?.diagnosis ?? ''} />
      <Field {...LONG} name="actionsTaken" label="Actions taken" defaultValue={initial?.actionsTaken ?? ''} />
      <fieldset className="parts">
        <legend>Parts used</legend>
        {parts.map((part, index) => (
          <div className="part" key={part.id}>
            {PART.map(({ name, ...field }) => (
              <Field
                key={name}
                {...field}
                name={`partsUsed.${index}.${name}`}
                required
                defaultValue={part[name]}
              />
            ))}
            <button
              type="button"
              className="quiet"
              aria-label={`Remove part ${index + 1}`}
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

function RateFields({ assignment }: { assignment: Assignment | undefined }) {
  return (
    <>
      <fieldset className="stars">
        <legend>
          Customer rating of #{assignment?.assignmentSequence} {assignment?.engineer.name}
          {assignment?.timeSpentHours && `, ${formatHours(assignment.timeSpentHours)}`}
        </legend>
        {[1, 2, 3, 4, 5].map((n) => (
          <label key={n}>
            <input
              type="radio"
              name="rating"
              value={n}
              required
              defaultChecked={n === assignment?.customerRating}
            />
            {n} ★
          </label>
        ))}
      </fieldset>
      <Field
        {...LONG}
        name="feedback"
        label="Customer feedback (optional)"
        defaultValue={assignment?.customerFeedback ?? ''}
      />
    </>
  )
}
