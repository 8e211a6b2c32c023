/** The queries of the pages, and the cache that mutations and live events update. */
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

export type Ticket = gql.TicketDetailFragment
export type TicketRow = gql.TicketRowFragment
export type Assignment = gql.AssignmentDetailFragment
export type Job = gql.JobFragment
export type Viewer = gql.ViewerQuery['viewer']
export type Engineer = gql.EngineerDetailFragment
export type Statistics = gql.StatisticsQuery['statistics']

type Filter = gql.TicketFilter
/** `filterIndex` is the position of the page's filter in the list of filters. */
type TicketPages = InfiniteData<gql.TicketsQuery & { filterIndex: number }>

/** Loads all pages of the first filter, then those of the second. */
export const useTickets = (filters: [Filter, ...Filter[]]) =>
  useInfiniteQuery({
    queryKey: ['tickets', filters],
    queryFn: async ({ pageParam: { filterIndex, after }, signal }) => {
      const filter = filters[filterIndex] ?? filters[0]
      return { filterIndex, ...(await execute(gql.TicketsDocument, { filter, after }, { signal })) }
    },
    initialPageParam: { filterIndex: 0, after: null as string | null },
    getNextPageParam: ({ tickets: { pageInfo } }, _, { filterIndex }) => {
      if (pageInfo.hasNextPage) return { filterIndex, after: pageInfo.endCursor }
      return filterIndex + 1 < filters.length ? { filterIndex: filterIndex + 1, after: null } : undefined
    },
    placeholderData: keepPreviousData,
  })

export const useTicket = (id: string) =>
  useQuery({
    queryKey: ['ticket', id],
    queryFn: async ({ signal }) => (await execute(gql.TicketDocument, { id }, { signal })).ticket,
  })

/** Loads every engineer, so that the picker can search all of them. */
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

/** Loads the suggested engineers for the tier, best match first. */
export const useSuggestions = (ticketId: string, tier: number) =>
  useQuery({
    queryKey: ['suggestions', ticketId, tier],
    queryFn: async ({ signal }) =>
      (await execute(gql.SuggestEngineersDocument, { ticketId, tier }, { signal })).suggestEngineers ?? [],
    placeholderData: keepPreviousData,
  })

export const useStatistics = (variables: gql.StatisticsQueryVariables) =>
  useQuery({
    queryKey: ['statistics', variables],
    queryFn: async ({ signal }) => (await execute(gql.StatisticsDocument, variables, { signal })).statistics,
    placeholderData: keepPreviousData,
  })

export const useViewer = () =>
  useQuery({
    queryKey: ['viewer'],
    ...storedQuery<Viewer>('viewer'),
    queryFn: async ({ signal }) =>
      store('viewer', (await execute(gql.ViewerDocument, {}, { signal })).viewer),
  })

export const useMyWork = () =>
  useQuery({
    queryKey: ['my-work'],
    ...storedQuery<Job[]>('my-work'),
    queryFn: async ({ signal }) => {
      const { viewer } = await execute(gql.MyWorkDocument, {}, { signal })
      return store('my-work', viewer.engineer?.assignments.nodes ?? [])
    },
  })

// Shown when the page is reloaded while the API is unreachable. Removed with the tab or the session.
const STORAGE_PREFIX = 'baton.remembered '
function store<T>(name: string, value: T): T {
  sessionStorage.setItem(STORAGE_PREFIX + name, JSON.stringify(value))
  return value
}
const storedQuery = <T>(name: string) => ({
  initialData: (): T | undefined =>
    JSON.parse(sessionStorage.getItem(STORAGE_PREFIX + name) ?? 'null') ?? undefined,
  initialDataUpdatedAt: 0,
})

/** Removes all data of the signed-in person. */
export function clearPersonalData(client: QueryClient) {
  for (const name of ['viewer', 'my-work']) sessionStorage.removeItem(STORAGE_PREFIX + name)
  client.clear()
}

/** Replaces every cached copy of the ticket that is not newer. */
export function cacheTicket(client: QueryClient, ticket: Ticket) {
  const isOlderThan = (cached: TicketRow) => Date.parse(ticket.updatedAt) < Date.parse(cached.updatedAt)
  client.setQueryData<Ticket | null>(['ticket', ticket.id], (cached) =>
    cached === undefined || (cached && isOlderThan(cached)) ? cached : ticket,
  )
  const latest = (row: TicketRow) => (row.id === ticket.id && !isOlderThan(row) ? ticket : row)
  client.setQueriesData<TicketPages>(
    { queryKey: ['tickets'] },
    (list) =>
      list && {
        ...list,
        pages: list.pages.map(({ filterIndex, tickets }) => ({
          filterIndex,
          tickets: { ...tickets, nodes: tickets.nodes.map(latest) },
        })),
      },
  )
  client.setQueryData<Job[]>(['my-work'], (jobs) =>
    jobs?.flatMap((job) => {
      const assignment = ticket.assignmentHistory.find(({ id }) => id === job.id)
      return !assignment ? job : assignment.isCurrent ? { ...job, ...assignment } : []
    }),
  )
  scheduleRefetch(client)
}

const REFETCH_DELAY_MS = 2_000
let isRefetchScheduled = false

/** Refetches the lists and workloads that depend on tickets, once for all changes within the delay. */
function scheduleRefetch(client: QueryClient) {
  if (isRefetchScheduled) return
  isRefetchScheduled = true
  setTimeout(() => {
    isRefetchScheduled = false
    for (const key of ['tickets', 'my-work', 'engineers', 'suggestions'])
      void client.invalidateQueries({ queryKey: [key] })
  }, REFETCH_DELAY_MS)
}

/** Applies the assignment events of all tickets while mounted; resumes after a lost connection. */
export function useLiveUpdates() {
  const client = useQueryClient()
  useEffect(() => {
    let cursor: string | null = null
    return subscribe(
      gql.AssignmentEventsDocument,
      () => {
        // Without a cursor, changes before the subscription may have been missed.
        if (cursor === null) void client.invalidateQueries({}, { cancelRefetch: false })
        return { afterCursor: cursor }
      },
      ({ assignmentEvents: event }) => {
        cursor = event.cursor
        cacheTicket(client, event.ticket)
      },
      () => {
        cursor = null
      },
    )
  }, [client])
}
