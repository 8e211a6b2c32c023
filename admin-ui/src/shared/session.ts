/** The tokens of a signed-in person. */

const REFRESH_BEFORE_MS = 60_000

export interface Session {
  accessToken: string
  /** Milliseconds since 1970; null when the provider does not state the lifetime. */
  expiresAt: number | null
  refreshToken: string | null
  idToken: string | null
}

/** Converts a lifetime in seconds to the time at which it ends. */
export const expiryAfter = (seconds: number) => Date.now() + seconds * 1000

/** Whether the access token has expired or expires within a minute. */
export const isExpiring = ({ expiresAt }: Session) =>
  expiresAt !== null && expiresAt - Date.now() < REFRESH_BEFORE_MS
