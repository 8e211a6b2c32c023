/** How the pages speak to the API: one function for queries and mutations, one for subscriptions. */
import { createClient } from 'graphql-ws'
import { useSyncExternalStore } from 'react'
import type { TypedDocumentString } from '../gql/graphql'
import { accessToken, refused } from './auth'

/** What the API answered with instead of data. `code` is the error's extensions.code, or UNREACHABLE. */
export class ApiError extends Error {
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }

  /** The same request may well succeed a little later. */
  get passes(): boolean {
    return ['UNREACHABLE', 'UNAVAILABLE', 'TIMEOUT'].includes(this.code)
  }
}

interface Options {
  signal?: AbortSignal
  /** Instead of the session's. */
  token?: string
}

const POSITION = 'baton-position'

// Up to where this tab must see: all that it has changed or was told of. What it reads may come from a standby.
let position = /^\d+$/.exec(sessionStorage.getItem(POSITION) ?? '')?.[0] ?? '0'

function mustSee(next: unknown) {
  if (typeof next !== 'string' || BigInt(next) <= BigInt(position)) return
  position = next
  sessionStorage.setItem(POSITION, next)
}

const UNKNOWN_DOCUMENT = 'PERSISTED_QUERY_NOT_FOUND'

/** By its hash, which every server that has these very pages knows; by its text to others, while it is updated. */
const named = <Result, Variables>(document: TypedDocumentString<Result, Variables>) =>
  import.meta.env.DEV ? { query: document.toString() } : { documentId: document.__meta__?.hash }

export async function execute<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
  options: Options = {},
): Promise<Result> {
  try {
    return await ask<Result>({ ...named(document), variables }, options)
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== UNKNOWN_DOCUMENT) throw error
    return ask<Result>({ query: document.toString(), variables }, options)
  }
}

async function ask<Result>(request: object, { signal, token }: Options): Promise<Result> {
  const bearer = token ?? (await accessToken())
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json;q=0.9',
      [POSITION]: position,
      ...(bearer && { authorization: `Bearer ${bearer}` }),
    },
    body: JSON.stringify(request),
    signal: signal ?? null,
  }).catch((error) => {
    if (signal?.aborted) throw error
    throw new ApiError('The server cannot be reached.', 'UNREACHABLE')
  })
  const body = await response.json().catch(() => null)
  mustSee(body?.extensions?.position)
  const error = body?.errors?.[0]
  const code = error?.extensions?.code ?? (response.ok ? 'INTERNAL' : `HTTP_${response.status}`)
  if (code === 'UNAUTHENTICATED' && !token) refused()
  if (code === 'DOCUMENT_NOT_TRUSTED')
    throw new ApiError('The server has a newer version: load the page again.', code)
  if (error) throw new ApiError(error.message, code)
  if (!body?.data) throw new ApiError(`The server answered ${response.status}.`, code)
  return body.data
}

export type LiveState = 'connecting' | 'live' | 'reconnecting'

const UNAUTHORIZED = [4401, 4403]
const LONGEST_WAIT_MS = 30_000

let live: LiveState = 'connecting'
const listeners = new Set<() => void>()

function become(next: LiveState) {
  live = next
  for (const changed of listeners) changed()
}

export const useLiveState = (): LiveState =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    () => live,
  )

const backoff = (tries: number) =>
  new Promise<void>((resolve) => {
    // Spread out, so that all the pages do not come back in the same moment after a restart.
    setTimeout(resolve, Math.min(LONGEST_WAIT_MS, 1000 * 2 ** tries) * (0.5 + Math.random() / 2))
  })

// One socket for all subscriptions, open while there is one.
const socket = createClient({
  url: new URL('/graphql', location.href.replace(/^http/, 'ws')).href,
  connectionParams: async () => ({ Authorization: `Bearer ${await accessToken()}` }),
  retryAttempts: Number.POSITIVE_INFINITY,
  retryWait: backoff,
  shouldRetry: () => true,
  keepAlive: 15_000,
  on: {
    connecting: (again) => become(again ? 'reconnecting' : 'connecting'),
    connected: () => become('live'),
    closed: (event) => {
      become('reconnecting')
      if (UNAUTHORIZED.includes((event as CloseEvent).code)) refused()
    },
  },
})

/**
 * Follows a subscription for ever, through lost connections and restarts; returns how to stop it.
 * `variables` is asked at every connection, so that it can tell the last cursor that was seen. `onRefused` hears
 * that the server does not take them: a cursor of another database, say.
 */
export function subscribe<Result, Variables extends Record<string, unknown>>(
  document: TypedDocumentString<Result, Variables>,
  variables: () => Variables,
  onData: (data: Result) => void,
  onRefused: () => void = () => {},
): () => void {
  let stopped = false
  let stop = () => {}
  let failures = 0
  let known = !import.meta.env.DEV
  const again = async () => {
    await backoff(failures++)
    if (!stopped) follow()
  }
  function follow() {
    stop = socket.subscribe<Result>(
      {
        ...(known
          ? { query: '', extensions: { persistedQuery: { sha256Hash: document.__meta__?.hash } } }
          : { query: document.toString() }),
        get variables() {
          return variables()
        },
      },
      {
        next: ({ data, extensions }) => {
          failures = 0
          mustSee((extensions as { position?: unknown } | undefined)?.position)
          if (data) onData(data)
        },
        error: (reason) => {
          const codes = Array.isArray(reason) ? reason.map((error) => error.extensions?.code) : []
          if (codes.includes(UNKNOWN_DOCUMENT)) known = false
          else if (codes.length > 0) onRefused()
          void again()
        },
        complete: () => {
          if (!stopped) void again()
        },
      },
    )
  }
  follow()
  return () => {
    stopped = true
    stop()
  }
}
