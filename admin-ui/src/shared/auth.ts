/** The session of this browser tab: stores it, refreshes its token, and ends it. */
import { useSyncExternalStore } from 'react'
import { loadConfig } from './config'
import { isExpiring, type Session } from './session'

const STORAGE_KEY = 'baton.session'

const listeners = new Set<() => void>()
let session: Session | null = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null')
let notice: string | null = null
let refreshing: Promise<void> | null = null

function setSession(next: Session | null, reason: string | null = null) {
  session = next
  notice = reason
  if (next) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(next))
  else sessionStorage.removeItem(STORAGE_KEY)
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void) {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

export const useSession = () => useSyncExternalStore(subscribe, () => session)

/** The reason why the last session ended, for the sign-in page; null after signing out. */
export const useNotice = () => useSyncExternalStore(subscribe, () => notice)

/** Stores the session and reloads at `page`, so that no state of an earlier session remains. */
export function signIn(next: Session, page: string) {
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify(next))
  location.replace(page)
}

const expireSession = () => setSession(null, 'Your session has ended. Sign in again.')

/** Handles a rejected token: ends the session unless the next request refreshes it. */
export function handleUnauthenticated() {
  if (session && !(session.refreshToken && isExpiring(session))) expireSession()
}

/** Ends the session here, and at the provider if it supports that. */
export async function signOut() {
  const ended = session
  setSession(null)
  const { signIn } = await loadConfig()
  if (signIn.kind === 'provider' && ended) await (await import('./oidc')).endSession(signIn, ended)
}

/** Returns the token for the next request. Concurrent requests share one refresh of an expiring token. */
export async function accessToken(): Promise<string | null> {
  if (session?.refreshToken && isExpiring(session)) {
    refreshing ??= refresh(session).finally(() => {
      refreshing = null
    })
    await refreshing
  }
  return session?.accessToken ?? null
}

async function refresh(old: Session) {
  try {
    const { signIn } = await loadConfig()
    if (signIn.kind !== 'provider') return
    const next = await (await import('./oidc')).refreshSession(signIn, old)
    // Signed out in the meantime.
    if (session !== old) return
    if (next) setSession(next)
    else expireSession()
  } catch (error) {
    // The server or the provider is unreachable, but the old token may still be valid; the next request tries again.
    console.warn('The session could not be refreshed', error)
  }
}
