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

/** Keeps the session and opens the page anew, so that nothing of before is left in it. */
export function signIn(next: Session, page: string) {
  sessionStorage.setItem(KEY, JSON.stringify(next))
  location.replace(page)
}

const end = () => keep(null, 'Your session has ended. Sign in again to go on.')

/** The server does not take the token. What can be renewed is renewed with the next request; else the session is over. */
export function refused() {
  if (session && !(session.refreshToken && isDue(session))) end()
}

const isDue = ({ expiresAt }: Session) => expiresAt !== null && expiresAt - Date.now() < RENEW_BEFORE_MS

/** Ends the session here, and at the provider where it can. */
export async function signOut() {
  const ended = session
  keep(null)
  const { signIn } = await loadConfig()
  if (signIn.kind === 'provider' && ended) await (await import('./oidc')).leave(signIn, ended)
}

/** The token for the next request, renewed when it is about to expire and can be. */
export async function accessToken(): Promise<string | null> {
  if (session?.refreshToken && isDue(session)) {
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
    if (session !== old) return
    if (next) keep(next)
    else end()
  } catch (error) {
    // The provider is out of reach, and the old token may still serve; the next request tries again.
    console.warn('The session could not be renewed', error)
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
