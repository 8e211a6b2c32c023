/** Development tokens, which need no password. */
import { expiryAfter, type Session } from '../../shared/session'

export const DEVELOPMENT_ROLES = ['dispatcher', 'engineer', 'auditor', 'admin'] as const
export type DevelopmentRole = (typeof DEVELOPMENT_ROLES)[number]

/** Requests a token from the server, which issues them only in development and only to its own machine. */
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
    expiresAt: expiryAfter(body.expiresIn),
    refreshToken: null,
    idToken: null,
  }
}
