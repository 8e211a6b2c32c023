import { useEffect, useRef, useState } from 'react'
import { type Engineer, type Ticket, type Turn, useEngineers, useSuggestions } from './queries'
import { Failure, Skeleton } from './ui'

interface Choice extends Engineer {
  had: Turn | undefined
  /** What speaks for them, where the server suggests them. */
  why: string[]
}

/** Who takes work now: first whom the server suggests, those last who have had the ticket; then the others by name. */
function useChoices(ticket: Ticket, tier: number) {
  const suggested = useSuggestions(ticket.id, tier)
  const everybody = useEngineers()
  const holder = ticket.currentAssignment?.engineer.id
  const had = (engineer: Engineer) =>
    ticket.assignmentHistory.findLast((turn) => turn.engineer.id === engineer.id)
  const first: Choice[] = (suggested.data ?? []).map(({ engineer, matchingSkills, sameRegion }) => ({
    ...engineer,
    had: had(engineer),
    why: [...matchingSkills.map((skill) => `knows ${skill}`), ...(sameRegion ? ['is near'] : [])],
  }))
  first.sort((a, b) => Number(!!a.had) - Number(!!b.had))
  const named = new Set(first.map(({ id }) => id))
  const others: Choice[] = (everybody.data ?? [])
    .filter(({ id }) => !named.has(id))
    .map((engineer) => ({ ...engineer, had: had(engineer), why: [] }))
  return {
    isPending: suggested.isPending,
    error: suggested.error ?? everybody.error,
    retry: () => Promise.all([suggested.refetch(), everybody.refetch()]),
    choices: [...first, ...others].filter(({ id, isActive }) => isActive && id !== holder),
  }
}

export function EngineerPicker({ name, ticket, tier }: { name: string; ticket: Ticket; tier: number }) {
  const { isPending, error, retry, choices } = useChoices(ticket, tier)
  const [sought, setSought] = useState('')
  const [chosen, setChosen] = useState<string>()
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => box.current?.focus(), [])
  const matches = ({ name, region, skills }: Engineer) =>
    `${name} ${region ?? ''} ${skills.join(' ')}`.toLowerCase().includes(sought.toLowerCase())
  const shown = isPending ? [] : choices.filter(matches)
  // Fixed when it is first seen: the order may change while somebody writes the reason.
  if (shown[0] && !shown.some(({ id }) => id === chosen)) setChosen(shown[0].id)
  useEffect(() => box.current?.setCustomValidity(shown.length > 0 ? '' : 'There is nobody to choose.'))
  return (
    <fieldset className="picker">
      <legend>Engineer</legend>
      <input
        type="search"
        aria-label="Find by name, region or skill"
        placeholder="Find by name, region or skill"
        value={sought}
        ref={box}
        onChange={(event) => {
          setSought(event.target.value)
          setChosen(undefined)
        }}
      />
      <div className="choices">
        {isPending && <Skeleton rows={4} />}
        {error && <Failure error={error} retry={retry} />}
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
              {engineer.had && <b className="tone-amber">had it as #{engineer.had.assignmentSequence}</b>}
              {engineer.why.map((why) => (
                <b key={why} className="tone-green">
                  {why}
                </b>
              ))}
              <span>holds {engineer.activeAssignments}</span>
              {place === 0 && !sought && <b className="tone-teal">suggested</b>}
            </span>
          </label>
        ))}
        {!isPending && !error && shown.length === 0 && (
          <p className="muted">Nobody who takes work now matches.</p>
        )}
      </div>
    </fieldset>
  )
}
