import { useEffect, useRef, useState } from 'react'
import { type Engineer, type Ticket, type Turn, useEngineers } from './queries'
import { Failure, Skeleton } from './ui'

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

export function EngineerPicker({ name, ticket }: { name: string; ticket: Ticket }) {
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
