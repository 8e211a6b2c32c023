import { useEffect, useRef, useState } from 'react'
import { Link } from 'wouter'
import type { TicketFilter, TicketStatus } from '../../gql/graphql'
import { humanize } from '../../shared/format'
import { listPosition } from '../../shared/listPosition'
import { useTickets, type Viewer } from '../../shared/queries'
import { EngineerSelect, Select, TierSelect } from '../../shared/selects'
import { Empty, Failure, Skeleton, useKeys } from '../../shared/ui'
import { useFilters } from '../../shared/useFilters'
import { TicketRow } from './TicketRow'

const OPEN: TicketStatus[] = ['NEW', 'ASSIGNED', 'IN_PROGRESS', 'ON_HOLD']
const OPEN_TAB = { name: 'Open', param: null, status: OPEN }
const TABS: { name: string; param: string | null; status: TicketStatus[] | null }[] = [
  OPEN_TAB,
  ...[...OPEN, 'RESOLVED' as const, 'CLOSED' as const, 'CANCELLED' as const].map((status) => ({
    name: humanize(status),
    param: status,
    status: [status],
  })),
  { name: 'All', param: 'ALL', status: null },
]
const SEARCH_DELAY_MS = 250

export function TicketList({ viewer }: { viewer: Viewer }) {
  const { params, setFilter } = useFilters()
  const tab = TABS.find(({ param }) => param === params.get('status')) ?? OPEN_TAB
  const [search, tier, engineer, unassigned] = ['q', 'tier', 'engineer', 'unassigned'].map(
    (name) => params.get(name) ?? '',
  ) as [string, string, string, string]
  const filter = {
    status: tab.status,
    search: search || null,
    tier: Number(tier) || null,
    engineerId: engineer || null,
  }
  const query = useTickets(filtersOf(filter, unassigned))
  const searchBox = useRef<HTMLInputElement>(null)
  const body = useRef<HTMLTableSectionElement>(null)
  listPosition.href = params.size ? `/?${params}` : '/'

  const moveFocus = (offset: number) => () => {
    const links = [...(body.current?.querySelectorAll('a') ?? [])]
    const index = links.findIndex((link) => link.matches(':focus'))
    links[Math.max(0, Math.min(links.length - 1, index + offset))]?.focus()
  }
  useKeys({ '/': () => searchBox.current?.focus(), j: moveFocus(1), k: moveFocus(-1) })

  const pages = query.data?.pages ?? []
  // A ticket that is reassigned between two requests may be on both pages.
  const tickets = [
    ...new Map(pages.flatMap((page) => page.tickets.nodes).map((row) => [row.id, row])).values(),
  ]
  // Each filter has its own total, known once its first page is loaded.
  const totals = new Map(pages.map((page) => [page.filterIndex, page.tickets.totalCount]))
  const total = [...totals.values()].reduce((sum, count) => sum + count, 0)
  const isShown = tickets.length > 0
  useEffect(() => {
    if (isShown)
      body.current
        ?.querySelector<HTMLElement>(`[data-ticket="${CSS.escape(listPosition.ticketId)}"]`)
        ?.focus()
    listPosition.ticketId = ''
  }, [isShown])
  return (
    <>
      <title>Tickets · Baton</title>
      <div className="bar">
        <h1>Tickets {isShown && <small>{total}</small>}</h1>
        <SearchBox
          key={search}
          input={searchBox}
          search={search}
          onSearch={(typed) => setFilter('q', typed)}
        />
      </div>
      <div className="bar filters">
        <fieldset className="tabs" aria-label="Status">
          {TABS.map(({ name, param }) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === tab.name}
              onClick={() => setFilter('status', param)}
            >
              {name}
            </button>
          ))}
        </fieldset>
        <div className="selects">
          <Select label="Assignment" value={unassigned} onChange={(value) => setFilter('unassigned', value)}>
            <option value="">Assigned or not</option>
            <option value="first">Unassigned first</option>
            <option value="only">Unassigned only</option>
          </Select>
          <TierSelect value={tier} onChange={(value) => setFilter('tier', value)} />
          {viewer.role !== 'ENGINEER' && (
            <EngineerSelect value={engineer} onChange={(value) => setFilter('engineer', value)} />
          )}
        </div>
      </div>
      {query.isPending ? (
        <Skeleton rows={10} />
      ) : query.isError && !isShown ? (
        <Failure error={query.error} retry={query.refetch} />
      ) : !isShown ? (
        <Empty title="No tickets match.">
          {params.size > 0 && <Link href="/">Clear the filters</Link>}
          {params.size > 0 && tab.name !== 'All' && ' or '}
          {tab.name !== 'All' && (
            <button type="button" className="link" onClick={() => setFilter('status', 'ALL')}>
              show all statuses
            </button>
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
                <th scope="col">Assigned to</th>
                <th scope="col" className="num">
                  Escalations
                </th>
                <th scope="col">Updated</th>
              </tr>
            </thead>
            <tbody ref={body}>
              {tickets.map((ticket) => (
                <TicketRow key={ticket.id} ticket={ticket} />
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
                : `Show more (${tickets.length} of ${total}${unassigned === 'first' && totals.size === 1 ? ' unassigned' : ''})`}
            </button>
          )}
        </div>
      )}
    </>
  )
}

/** "Unassigned first" is two lists, one after the other. */
function filtersOf(filter: TicketFilter, unassigned: string): [TicketFilter, ...TicketFilter[]] {
  if (unassigned === 'only') return [{ ...filter, unassigned: true }]
  if (unassigned === 'first')
    return [
      { ...filter, unassigned: true },
      { ...filter, unassigned: false },
    ]
  return [filter]
}

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
    const timer = setTimeout(() => onSearch(typed), SEARCH_DELAY_MS)
    return () => clearTimeout(timer)
  }, [typed, search, onSearch])
  return (
    <input
      ref={input}
      type="search"
      placeholder="Number, customer or issue  /"
      aria-label="Search tickets"
      aria-keyshortcuts="/"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
    />
  )
}
