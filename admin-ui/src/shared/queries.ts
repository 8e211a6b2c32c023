/** What the pages read, and how it is kept up to date. */
import {
  type InfiniteData,
  keepPreviousData,
  type QueryClient,
  useInfiniteQuery,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import { useEffect } from 'react'
import * as gql from '../gql/graphql'
import { execute, subscribe } from './api'

export type Ticket = gql.TicketWholeFragment
export type TicketRow = gql.TicketRowFragment
export type Turn = gql.TurnFragment
export type Job = gql.JobFragment
export type Viewer = gql.ViewerQuery['viewer']
export type Engineer = gql.PersonFragment
export type Statistics = gql.StatisticsQuery['statistics']

type Filter = gql.TicketFilter
type Pages = InfiniteData<gql.TicketsQuery & { part: number }>

/** Pages of each filter in turn: those of the second follow the last page of the first. */
export const useTickets = (filters: [Filter, ...Filter[]]) =>
  useInfiniteQuery({
    queryKey: ['tickets', filters],
    queryFn: async ({ pageParam: { part, after }, signal }) => {
      const filter = filters[part] ?? filters[0]
      return { part, ...(await execute(gql.TicketsDocument, { filter, after }, { signal })) }
    },
    initialPageParam: { part: 0, after: null as string | null },
    getNextPageParam: ({ tickets: { pageInfo } }, _, { part }) => {
      if (pageInfo.hasNextPage) return { part, after: pageInfo.endCursor }
      return part + 1 < filters.length ? { part: part + 1, after: null } : undefined
    },
    placeholderData: keepPreviousData,
  })

export const useTicket = (id: string) =>
  useQuery({
    queryKey: ['ticket', id],
    queryFn: async ({ signal }) => (await execute(gql.TicketDocument, { id }, { signal })).ticket,
  })

/** All of them: anybody may be looked for. */
export const useEngineers = (enabled = true) =>
  useQuery({
    queryKey: ['engineers'],
    enabled,
    queryFn: async ({ signal }) => {
      const all: Engineer[] = []
      for (let after: string | null = null; ; ) {
        const { engineers }: gql.EngineersQuery = await execute(gql.EngineersDocument, { after }, { signal })
        all.push(...engineers.nodes)
        if (!engineers.pageInfo.hasNextPage) return all
        after = engineers.pageInfo.endCursor
      }
    },
  })

/** Who could best be given the ticket, the best first, and why. */
export const useSuggestions = (ticketId: string, tier: number) =>
  useQuery({
    queryKey: ['suggestions', ticketId, tier],
    queryFn: async ({ signal }) =>
      (await execute(gql.SuggestEngineersDocument, { ticketId, tier }, { signal })).suggestEngineers ?? [],
    placeholderData: keepPreviousData,
  })

export const useStatistics = (wanted: gql.StatisticsQueryVariables) =>
  useQuery({
    queryKey: ['statistics', wanted],
    queryFn: async ({ signal }) => (await execute(gql.StatisticsDocument, wanted, { signal })).statistics,
    placeholderData: keepPreviousData,
  })

export const useViewer = () =>
  useQuery({
    queryKey: ['viewer'],
    ...remembered<Viewer>('viewer'),
    queryFn: async ({ signal }) =>
      remember('viewer', (await execute(gql.ViewerDocument, {}, { signal })).viewer),
  })

export const useMyWork = () =>
  useQuery({
    queryKey: ['my-work'],
    ...remembered<Job[]>('my-work'),
    queryFn: async ({ signal }) => {
      const { viewer } = await execute(gql.MyWorkDocument, {}, { signal })
      return remember('my-work', viewer.engineer?.assignments.nodes ?? [])
    },
  })

// What an engineer needs when the page is loaded anew while the API is out of reach. Gone with the tab or the session.
const REMEMBERED = 'baton.remembered '
function remember<T>(name: string, value: T): T {
  sessionStorage.setItem(REMEMBERED + name, JSON.stringify(value))
  return value
}
const remembered = <T>(name: string) => ({
  initialData: (): T | undefined =>
    JSON.parse(sessionStorage.getItem(REMEMBERED + name) ?? 'null') ?? undefined,
  initialDataUpdatedAt: 0,
})

/** Nothing that one person has read is shown to the next. */
export function forget(client: QueryClient) {
  for (const name of ['viewer', 'my-work']) sessionStorage.removeItem(REMEMBERED + name)
  client.clear()
}

/** Puts a ticket that just came wherever it is shown, unless what is shown is newer. */
export function keepTicket(client: QueryClient, ticket: Ticket) {
  const isOlder = (shown: TicketRow) => Date.parse(ticket.updatedAt) < Date.parse(shown.updatedAt)
  client.setQueryData<Ticket | null>(['ticket', ticket.id], (shown) =>
    shown === undefined || (shown && isOlder(shown)) ? shown : ticket,
  )
  const fresher = (row: TicketRow) => (row.id === ticket.id && !isOlder(row) ? ticket : row)
  client.setQueriesData<Pages>(
    { queryKey: ['tickets'] },
    (list) =>
      list && {
        ...list,
        pages: list.pages.map(({ part, tickets }) => ({
          part,
          tickets: { ...tickets, nodes: tickets.nodes.map(fresher) },
        })),
      },
  )
  client.setQueryData<Job[]>(['my-work'], (jobs) =>
    jobs?.flatMap((job) => {
      const turn = ticket.assignmentHistory.find(({ id }) => id === job.id)
      return !turn ? job : turn.isCurrent ? { ...job, ...turn } : []
    }),
  )
  refreshSoon(client)
}

const REFRESH_AFTER_MS = 2_000
let isRefreshDue = false

/** Lists and workloads follow from tickets: one refetch for all that changes in a while. */
function refreshSoon(client: QueryClient) {
  if (isRefreshDue) return
  isRefreshDue = true
  setTimeout(() => {
    isRefreshDue = false
    for (const key of ['tickets', 'my-work', 'engineers', 'suggestions'])
      void client.invalidateQueries({ queryKey: [key] })
  }, REFRESH_AFTER_MS)
}

/** Follows everybody's changes for as long as the pages are open, from the last one seen after a lost connection. */
export function useLive() {
  const client = useQueryClient()
  useEffect(() => {
    let cursor: string | null = null
    return subscribe(
      gql.AssignmentEventsDocument,
      () => {
        // Nothing to resume from: what was read before this moment may have changed unseen.
        if (cursor === null) void client.invalidateQueries({}, { cancelRefetch: false })
        return { afterCursor: cursor }
      },
      ({ assignmentEvents: event }) => {
        cursor = event.cursor
        keepTicket(client, event.ticket)
      },
      () => {
        cursor = null
      },
    )
  }, [client])
}
