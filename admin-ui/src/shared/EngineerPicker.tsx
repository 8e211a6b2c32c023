import { useEffect, useRef, useState } from 'react'
import { type Assignment, type Engineer, type Ticket, useEngineers, useSuggestions } from './queries'
import { Failure, Skeleton } from './ui'

interface Choice extends Engineer {
  /** Their latest assignment of this ticket. */
  previous: Assignment | undefined
  /** Why the server suggests them; empty for others. */
  reasons: string[]
}

/** Active engineers: suggested ones first, of these the previously assigned last; then the others by name. */
function useChoices(ticket: Ticket, tier: number) {
  const suggested = useSuggestions(ticket.id, tier)
  const engineers = useEngineers()
  const currentId = ticket.currentAssignment?.engineer.id
  const previousOf = ({ id }: Engineer) =>
    ticket.assignmentHistory.findLast(({ engineer }) => engineer.id === id)
  const first: Choice[] = (suggested.data ?? []).map(({ engineer, matchingSkills, sameRegion }) => ({
    ...engineer,
    previous: previousOf(engineer),
    reasons: [...matchingSkills.map((skill) => `skill ${skill}`), ...(sameRegion ? ['same region'] : [])],
  }))
  first.sort((a, b) => Number(!!a.previous) - Number(!!b.previous))
  const suggestedIds = new Set(first.map(({ id }) => id))
  const others: Choice[] = (engineers.data ?? [])
    .filter(({ id }) => !suggestedIds.has(id))
    .map((engineer) => ({ ...engineer, previous: previousOf(engineer), reasons: [] }))
  return {
    isPending: suggested.isPending,
    error: suggested.error ?? engineers.error,
    retry: () => Promise.all([suggested.refetch(), engineers.refetch()]),
    choices: [...first, ...others].filter(({ id, isActive }) => isActive && id !== currentId),
  }
}

export function EngineerPicker({ name, ticket, tier }: { name: string; ticket: Ticket; tier: number }) {
  const { isPending, error, retry, choices } = useChoices(ticket, tier)
  const [search, setSearch] = useState('')
  const [chosen, setChosen] = useState<string>()
  const searchBox = useRef<HTMLInputElement>(null)
  useEffect(() => searchBox.current?.focus(), [])
  const matches = ({ name, region, skills }: Engineer) =>
    `${name} ${region ?? ''} ${skills.join(' ')}`.toLowerCase().includes(search.toLowerCase())
  const shown = isPending ? [] : choices.filter(matches)
  // Keep the first choice: the order may change while the form is open.
  if (shown[0] && !shown.some(({ id }) => id === chosen)) setChosen(shown[0].id)
  useEffect(() =>
    searchBox.current?.setCustomValidity(shown.length > 0 ? '' : 'No engineer matches. Change the search.'),
  )
  return (
    <fieldset className="picker">
      <legend>Engineer</legend>
      <input
        type="search"
        aria-label="Find by name, region or skill"
        placeholder="Find by name, region or skill"
        value={search}
        ref={searchBox}
        onChange={(event) => {
          setSearch(event.target.value)
          setChosen(undefined)
        }}
      />
      <div className="choices">
        {isPending && <Skeleton rows={4} />}
        {error && <Failure error={error} retry={retry} />}
        {shown.map((engineer, index) => (
          <label key={engineer.id}>
            <input
              type="radio"
              name={name}
              value={engineer.id}
              required
              checked={engineer.id === chosen}
              onChange={() => setChosen(engineer.id)}
            />
            <span className="engineer-name">
              {engineer.name}{' '}
              <small>
                L{engineer.level}
                {engineer.region && ` · ${engineer.region}`}
              </small>
            </span>
            <span className="engineer-reasons">
              {engineer.previous && (
                <b className="tone-amber">was assigned #{engineer.previous.assignmentSequence}</b>
              )}
              {engineer.reasons.map((reason) => (
                <b key={reason} className="tone-green">
                  {reason}
                </b>
              ))}
              <span>{engineer.activeAssignments} active</span>
              {index === 0 && !search && <b className="tone-teal">suggested</b>}
            </span>
          </label>
        ))}
        {!isPending && !error && shown.length === 0 && (
          <p className="muted">No active engineer matches. Change the search.</p>
        )}
      </div>
    </fieldset>
  )
}
