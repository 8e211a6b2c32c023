/** Who is signed in, in this browser tab: the token, how it came, and how it is renewed. */
import { useSyncExternalStore } from 'react'

export interface Provider {
  kind: 'provider'
  issuer: string
  clientId: string
  scopes: string
  audience: string
}

export interface UiConfig {
  environment: 'development' | 'production'
  signIn: { kind: 'development' } | Provider | { kind: 'none' }
}

export interface Session {
  accessToken: string
  /** Milliseconds since 1970; null when the provider does not say. */
  expiresAt: number | null
  refreshToken: string | null
  idToken: string | null
}

export const DEVELOPMENT_ROLES = ['dispatcher', 'engineer', 'auditor', 'admin'] as const
export type DevelopmentRole = (typeof DEVELOPMENT_ROLES)[number]

const KEY = 'baton.session'
const RENEW_BEFORE_MS = 60_000

const listeners = new Set<() => void>()
let session: Session | null = JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
let notice: string | null = null
let renewal: Promise<void> | null = null

function keep(next: Session | null, why: string | null = null) {
  session = next
  notice = why
  if (next) sessionStorage.setItem(KEY, JSON.stringify(next))
  else sessionStorage.removeItem(KEY)
  for (const changed of listeners) changed()
}

function onChange(listener: () => void) {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

export const useSession = () => useSyncExternalStore(onChange, () => session)

/** Why the person has to sign in again, for the sign-in page. */
export const useNotice = () => useSyncExternalStore(onChange, () => notice)

export const signIn = (next: Session) => keep(next)

/** The server no longer takes the token. The pages give way to the sign-in page, the address stays. */
export function expire() {
  if (session) keep(null, 'Your session has ended. Sign in again to go on.')
}

/** Ends the session here, and at the provider where it can. */
export async function signOut() {
  const ended = session
  keep(null)
  const { signIn } = await loadConfig()
  if (signIn.kind === 'provider' && ended) await (await import('./oidc')).leave(signIn, ended)
}

/** The token for the next request, renewed when it is about to expire and can be. */
export async function accessToken(): Promise<string | null> {
  const due = session?.expiresAt && session.expiresAt - Date.now() < RENEW_BEFORE_MS
  if (due && session?.refreshToken) {
    renewal ??= renew(session).finally(() => {
      renewal = null
    })
    await renewal
  }
  return session?.accessToken ?? null
}

async function renew(old: Session) {
  const { signIn } = await loadConfig()
  if (signIn.kind !== 'provider') return
  try {
    const next = await (await import('./oidc')).renew(signIn, old)
    if (session === old) keep(next)
  } catch (error) {
    // The old token still serves; when it no longer does, the API says so and the person signs in again.
    console.warn('The session was not renewed', error)
  }
}

let config: Promise<UiConfig> | undefined

/** How people sign in here, as the server says; asked for once. */
export function loadConfig(): Promise<UiConfig> {
  config ??= fetch('/ui-config.json').then((response) => {
    if (!response.ok) throw new Error(`The server answered ${response.status}`)
    return response.json()
  })
  config.catch(() => {
    config = undefined
  })
  return config
}

/** A token of the server's own; it gives one only in development, and only on its own machine. */
export async function developmentSession(role: DevelopmentRole, engineerId: string | null): Promise<Session> {
  const response = await fetch('/dev/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ role, engineerId }),
  })
  const body = await response.json().catch(() => null)
  if (!response.ok) throw new Error(body?.message ?? `The server answered ${response.status}`)
  return {
    accessToken: body.accessToken,
    expiresAt: Date.now() + body.expiresIn * 1000,
    refreshToken: null,
    idToken: null,
  }
}
