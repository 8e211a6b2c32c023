/** The client of the API: `execute` for queries and mutations, `subscribe` for subscriptions. */
import { createClient } from 'graphql-ws'
import { useSyncExternalStore } from 'react'
import type { TypedDocumentString } from '../gql/graphql'
import { accessToken, handleUnauthenticated } from './auth'

/** A failed request. `code` is the GraphQL error's extensions.code, HTTP_<status>, or UNREACHABLE. */
export class ApiError extends Error {
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return ['UNREACHABLE', 'UNAVAILABLE', 'TIMEOUT'].includes(this.code)
  }
}

interface Options {
  signal?: AbortSignal
  /** Replaces the session's token. */
  token?: string
}

const POSITION_HEADER = 'baton-position'

// The latest write that this tab has made or received. Sent with every request: no replica may answer with older data.
let position = /^\d+$/.exec(sessionStorage.getItem(POSITION_HEADER) ?? '')?.[0] ?? '0'

function advancePosition(next: unknown) {
  if (typeof next !== 'string' || BigInt(next) <= BigInt(position)) return
  position = next
  sessionStorage.setItem(POSITION_HEADER, next)
}

const UNKNOWN_DOCUMENT = 'PERSISTED_QUERY_NOT_FOUND'

/** Refers to the document by its hash, which the server of these pages knows. */
const documentReference = <Result, Variables>(document: TypedDocumentString<Result, Variables>) =>
  import.meta.env.DEV ? { query: document.toString() } : { documentId: document.__meta__?.hash }

export async function execute<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
  options: Options = {},
): Promise<Result> {
  try {
    return await post<Result>({ ...documentReference(document), variables }, options)
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== UNKNOWN_DOCUMENT) throw error
    // During an update, another server may have other pages: send the text.
    return post<Result>({ query: document.toString(), variables }, options)
  }
}

async function post<Result>(request: object, { signal, token }: Options): Promise<Result> {
  const bearer = token ?? (await accessToken())
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json;q=0.9',
      [POSITION_HEADER]: position,
      ...(bearer && { authorization: `Bearer ${bearer}` }),
    },
    body: JSON.stringify(request),
    signal: signal ?? null,
  }).catch((error) => {
    if (signal?.aborted) throw error
    throw new ApiError('The server cannot be reached.', 'UNREACHABLE')
  })
  const body = await response.json().catch(() => null)
  advancePosition(body?.extensions?.position)
  const error = body?.errors?.[0]
  const code = error?.extensions?.code ?? (response.ok ? 'INTERNAL' : `HTTP_${response.status}`)
  if (code === 'UNAUTHENTICATED' && !token) handleUnauthenticated()
  if (code === 'DOCUMENT_NOT_TRUSTED')
    throw new ApiError('The server has been updated. Reload the page.', code)
  if (error) throw new ApiError(error.message, code)
  if (!body?.data) throw new ApiError(`The server answered ${response.status}.`, code)
  return body.data
}

export type LiveState = 'connecting' | 'live' | 'reconnecting'

const UNAUTHORIZED = [4401, 4403]
const MAX_RETRY_DELAY_MS = 30_000

let liveState: LiveState = 'connecting'
const listeners = new Set<() => void>()

function setLiveState(next: LiveState) {
  liveState = next
  for (const listener of listeners) listener()
}

export const useLiveState = (): LiveState =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    () => liveState,
  )

const backoff = (retries: number) =>
  new Promise<void>((resolve) => {
    // Jitter, so that not all pages reconnect at the same moment after a restart.
    setTimeout(resolve, Math.min(MAX_RETRY_DELAY_MS, 1000 * 2 ** retries) * (0.5 + Math.random() / 2))
  })

// One WebSocket for all subscriptions, open while at least one is active.
const socket = createClient({
  url: new URL('/graphql', location.href.replace(/^http/, 'ws')).href,
  connectionParams: async () => ({ Authorization: `Bearer ${await accessToken()}` }),
  retryAttempts: Number.POSITIVE_INFINITY,
  retryWait: backoff,
  shouldRetry: () => true,
  keepAlive: 15_000,
  on: {
    connecting: (isRetry) => setLiveState(isRetry ? 'reconnecting' : 'connecting'),
    connected: () => setLiveState('live'),
    closed: (event) => {
      setLiveState('reconnecting')
      if (UNAUTHORIZED.includes((event as CloseEvent).code)) handleUnauthenticated()
    },
  },
})

/**
 * Runs a subscription through lost connections and server restarts; returns a function that stops it.
 * `variables` is called at every connection, to resume from the last cursor. `onRejected` is called when the server
 * rejects the operation, for example because of the cursor of another database.
 */
export function subscribe<Result, Variables extends Record<string, unknown>>(
  document: TypedDocumentString<Result, Variables>,
  variables: () => Variables,
  onData: (data: Result) => void,
  onRejected: () => void = () => {},
): () => void {
  let stopped = false
  let stop = () => {}
  let failures = 0
  let isHashKnown = !import.meta.env.DEV
  const restart = async () => {
    await backoff(failures++)
    if (!stopped) start()
  }
  function start() {
    stop = socket.subscribe<Result>(
      {
        ...(isHashKnown
          ? { query: '', extensions: { persistedQuery: { sha256Hash: document.__meta__?.hash } } }
          : { query: document.toString() }),
        get variables() {
          return variables()
        },
      },
      {
        next: ({ data, extensions }) => {
          failures = 0
          advancePosition((extensions as { position?: unknown } | undefined)?.position)
          if (data) onData(data)
        },
        error: (reason) => {
          const codes = Array.isArray(reason) ? reason.map((error) => error.extensions?.code) : []
          if (codes.includes(UNKNOWN_DOCUMENT)) isHashKnown = false
          else if (codes.length > 0) onRejected()
          void restart()
        },
        complete: () => {
          if (!stopped) void restart()
        },
      },
    )
  }
  start()
  return () => {
    stopped = true
    stop()
  }
}
