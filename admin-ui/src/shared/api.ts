/** The client of the API: `execute` for queries and mutations, `subscribe` for subscriptions. */
import { createClient } from 'graphql-ws'
import { useSyncExternalStore } from 'react'
import type { TypedDocumentString } from '../gql/graphql'
import { accessToken, handleUnauthenticated } from './auth'

// 5xx without an error of the API comes from a gateway. 511: the network wants a sign-in; 52x: Cloudflare.
const TRANSIENT =
  /^(UNREACHABLE|UNAVAILABLE|TIMEOUT|REQUEST_TIMEOUT|HTTP_(408|425|429|502|503|504|511|52\d))$/

/** A failed request. `code` is the GraphQL error's extensions.code, HTTP_<status>, or UNREACHABLE. */
export class ApiError extends Error {
  readonly code: string
  /** How long the server asks to wait, 0 if it does not. */
  readonly retryAfterMs: number

  constructor(message: string, code: string, retryAfterMs = 0) {
    super(message)
    this.code = code
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same request may succeed later. */
  get isTransient(): boolean {
    return TRANSIENT.test(this.code)
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
    if (signal?.aborted && error.name !== 'TimeoutError') throw error
    throw new ApiError('The server cannot be reached.', 'UNREACHABLE')
  })
  const body = await response.json().catch(() => null)
  advancePosition(body?.extensions?.position)
  const error = body?.errors?.[0]
  if (!error && body?.data) return body.data
  // 200 without an answer: cut off on the way, or the sign-in page of a Wi-Fi network.
  const codeWithoutExtensions = !response.ok ? `HTTP_${response.status}` : error ? 'INTERNAL' : 'UNREACHABLE'
  const { code = codeWithoutExtensions, errorId, retryAfterSeconds } = error?.extensions ?? {}
  if (code === 'UNAUTHENTICATED' && !token) handleUnauthenticated()
  let message: string = error?.message ?? `The server answered ${response.status}.`
  if (code === 'UNREACHABLE') message = 'The answer is not from the server, or is incomplete.'
  if (code === 'DOCUMENT_NOT_TRUSTED') message = 'The server has been updated. Reload the page.'
  if (errorId && !message.includes(errorId)) message += ` Error ${errorId}.`
  const retryAfter = Number(retryAfterSeconds ?? response.headers.get('retry-after'))
  throw new ApiError(message, code, retryAfter * 1000 || 0)
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
