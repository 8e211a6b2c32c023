import { type ReactNode, useEffect, useRef, useState } from 'react'
import { Link, useLocation, useSearchParams } from 'wouter'
import type { TicketFilter, TicketStatus } from '../../gql/graphql'
import { type TicketRow, useEngineers, useTickets, type Viewer } from '../../shared/queries'
import { TIERS } from '../../shared/rules'
import { Badge, Empty, Failure, Skeleton, Time, titleOf, useKeys, words } from '../../shared/ui'

const OPEN: TicketStatus[] = ['NEW', 'ASSIGNED', 'IN_PROGRESS', 'ON_HOLD']
const OPEN_TAB = { name: 'Open', param: null, status: OPEN }
const TABS: { name: string; param: string | null; status: TicketStatus[] | null }[] = [
  OPEN_TAB,
  ...[...OPEN, 'RESOLVED' as const, 'CLOSED' as const, 'CANCELLED' as const].map((status) => ({
    name: words(status),
    param: status,
    status: [status],
  })),
  { name: 'All', param: 'ALL', status: null },
]
const TYPING_MS = 250

/** Where somebody was in the list, for the way back to it. */
export const leftOff = { list: '/', ticketId: '' }

export function TicketList({ viewer }: { viewer: Viewer }) {
  const [params, setParams] = useSearchParams()
  const tab = TABS.find(({ param }) => param === params.get('status')) ?? OPEN_TAB
  const [search, tier, engineer, held] = ['q', 'tier', 'engineer', 'held'].map(
    (name) => params.get(name) ?? '',
  ) as [string, string, string, string]
  const narrowed = {
    status: tab.status,
    search: search || null,
    tier: Number(tier) || null,
    engineerId: engineer || null,
  }
  const query = useTickets(filtersOf(narrowed, held))
  const box = useRef<HTMLInputElement>(null)
  const body = useRef<HTMLTableSectionElement>(null)
  const [, go] = useLocation()
  leftOff.list = params.size ? `/?${params}` : '/'

  const set = (name: string, value: string | null) =>
    setParams(
      (old) => {
        value ? old.set(name, value) : old.delete(name)
        return old
      },
      { replace: true },
    )
  const step = (by: number) => () => {
    const all = [...(body.current?.querySelectorAll('a') ?? [])]
    const place = all.findIndex((link) => link.matches(':focus'))
    all[Math.max(0, Math.min(all.length - 1, place + by))]?.focus()
  }
  useKeys({ '/': () => box.current?.focus(), j: step(1), k: step(-1) })

  const open = (ticket: TicketRow) => {
    leftOff.ticketId = ticket.id
    go(hrefOf(ticket))
  }

  const pages = query.data?.pages ?? []
  // One that changes hands between two pages is on both.
  const tickets = [
    ...new Map(pages.flatMap((page) => page.tickets.nodes).map((row) => [row.id, row])).values(),
  ]
  // Each part counts for itself; of one that has not begun, nothing is known.
  const totals = new Map(pages.map((page) => [page.part, page.tickets.totalCount]))
  const total = [...totals.values()].reduce((sum, count) => sum + count, 0)
  const isShown = tickets.length > 0
  useEffect(() => {
    if (isShown)
      body.current?.querySelector<HTMLElement>(`[data-ticket="${CSS.escape(leftOff.ticketId)}"]`)?.focus()
    leftOff.ticketId = ''
  }, [isShown])
  return (
    <>
      <title>Tickets · Baton</title>
      <div className="bar">
        <h1>Tickets {isShown && <small>{total}</small>}</h1>
        <SearchBox key={search} input={box} search={search} onSearch={(typed) => set('q', typed)} />
      </div>
      <div className="bar filters">
        <fieldset className="tabs" aria-label="Status">
          {TABS.map(({ name, param }) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === tab.name}
              onClick={() => set('status', param)}
            >
              {name}
            </button>
          ))}
        </fieldset>
        <div className="selects">
          <Select label="Held" value={held} onChange={(value) => set('held', value)}>
            <option value="">Held or not</option>
            <option value="first">Unassigned first</option>
            <option value="none">Unassigned only</option>
          </Select>
          <Select label="Tier" value={tier} onChange={(value) => set('tier', value)}>
            <option value="">Any tier</option>
            {TIERS.map(({ tier, name }) => (
              <option key={tier} value={tier}>
                {tier} {name}
              </option>
            ))}
          </Select>
          {viewer.role !== 'ENGINEER' && (
            <EngineerSelect value={engineer} onChange={(value) => set('engineer', value)} />
          )}
        </div>
      </div>
      {query.isPending ? (
        <Skeleton rows={10} />
      ) : query.isError && !isShown ? (
        <Failure error={query.error} retry={query.refetch} />
      ) : !isShown ? (
        <Empty title="No tickets match.">
          {params.size > 0 ? <Link href="/">Clear the filters</Link> : 'There is nothing to do.'}
          {tab.name !== 'All' && (
            <>
              {' '}
              or{' '}
              <button type="button" className="link" onClick={() => set('status', 'ALL')}>
                look among all statuses
              </button>
            </>
          )}
        </Empty>
      ) : (
        <div className={`card scroll ${query.isPlaceholderData ? 'stale' : ''}`}>
          <table className="tickets">
            <thead>
              <tr>
                <th scope="col">Ticket</th>
                <th scope="col">Priority</th>
                <th scope="col">Status</th>
                <th scope="col">Held by</th>
                <th scope="col" className="num">
                  Escalations
                </th>
                <th scope="col">Updated</th>
              </tr>
            </thead>
            <tbody ref={body}>
              {tickets.map((ticket) => (
                <Row key={ticket.id} ticket={ticket} open={() => open(ticket)} />
              ))}
            </tbody>
          </table>
          {query.hasNextPage && (
            <button
              type="button"
              className="more"
              onClick={() => query.fetchNextPage()}
              disabled={query.isFetchingNextPage}
            >
              {query.isFetchingNextPage
                ? 'Loading…'
                : `Show more (${tickets.length} of ${total}${held === 'first' && totals.size === 1 ? ' unassigned' : ''})`}
            </button>
          )}
        </div>
      )}
    </>
  )
}

/** `first` is two lists, one after the other. */
function filtersOf(narrowed: TicketFilter, held: string): [TicketFilter, ...TicketFilter[]] {
  if (held === 'none') return [{ ...narrowed, unassigned: true }]
  if (held === 'first')
    return [
      { ...narrowed, unassigned: true },
      { ...narrowed, unassigned: false },
    ]
  return [narrowed]
}

const hrefOf = (ticket: TicketRow) => `/tickets/${encodeURIComponent(ticket.id)}`

function SearchBox({
  input,
  search,
  onSearch,
}: {
  input: React.RefObject<HTMLInputElement | null>
  search: string
  onSearch: (typed: string) => void
}) {
  const [typed, setTyped] = useState(search)
  useEffect(() => {
    if (typed === search) return
    const timer = setTimeout(() => onSearch(typed), TYPING_MS)
    return () => clearTimeout(timer)
  }, [typed, search, onSearch])
  return (
    <input
      ref={input}
      type="search"
      placeholder="Number, customer or fault  /"
      aria-label="Search tickets"
      aria-keyshortcuts="/"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
    />
  )
}

export type SelectProps = {
  label: string
  value: string
  onChange: (value: string) => void
  children: ReactNode
}
export const Select = ({ label, value, onChange, children }: SelectProps) => (
  <select
    aria-label={label}
    className={value && 'chosen'}
    value={value}
    onChange={(event) => onChange(event.target.value)}
  >
    {children}
  </select>
)

export function EngineerSelect(props: Omit<SelectProps, 'label' | 'children'>) {
  const { data } = useEngineers()
  return (
    <Select {...props} label="Engineer">
      <option value="">Any engineer</option>
      {data?.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Select>
  )
}

const FRESH_MS = 5_000

function Row({ ticket, open }: { ticket: TicketRow; open: () => void }) {
  const { currentAssignment: current } = ticket
  // A row that has just come lights up at once, one that stays when it changes.
  const [seen, setSeen] = useState(ticket.updatedAt)
  const [isFresh, setFresh] = useState(() => Date.now() - Date.parse(ticket.updatedAt) < FRESH_MS)
  if (seen !== ticket.updatedAt) {
    setSeen(ticket.updatedAt)
    setFresh(true)
  }
  return (
    <tr className={isFresh ? 'fresh' : undefined} onAnimationEnd={() => setFresh(false)} onClick={open}>
      <td>
        <Link
          href={hrefOf(ticket)}
          data-ticket={ticket.id}
          onClick={(event) => {
            event.stopPropagation() // the row would open it once more
            leftOff.ticketId = ticket.id
          }}
        >
          {titleOf(ticket)}
        </Link>
        <small className="below">
          {ticket.ticketNumber}
          {ticket.customerName && ` · ${ticket.customerName}`}
        </small>
      </td>
      <td>
        <Badge code={ticket.priority} />
      </td>
      <td>
        <Badge code={ticket.status} />
      </td>
      <td>
        {current ? (
          <>
            {current.engineer.name}
            <small className="below">{current.assignmentTierName}</small>
          </>
        ) : (
          <span className="muted">Nobody</span>
        )}
      </td>
      <td className="num">{ticket.escalationCount || <span className="muted">–</span>}</td>
      <td className="nowrap">
        <Time at={ticket.updatedAt} />
      </td>
    </tr>
  )
}
