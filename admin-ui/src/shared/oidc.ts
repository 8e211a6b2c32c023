/** OpenID Connect: authorization code flow with PKCE against the configured provider. Loaded when it is needed. */
import * as oauth from 'oauth4webapi'
import type { Provider, Session } from './auth'

interface Pending {
  state: string
  nonce: string
  verifier: string
  returnTo: string
}

const KEY = 'baton.sign-in'
export const CALLBACK = '/sign-in/callback'

const redirectUri = () => location.origin + CALLBACK
const client = (provider: Provider): oauth.Client => ({ client_id: provider.clientId })

// A provider without TLS exists on a developer's own machine only; the server takes no other.
const insecure = (provider: Provider) => ({
  [oauth.allowInsecureRequests]: provider.issuer.startsWith('http:'),
})

async function discover(provider: Provider) {
  const issuer = new URL(provider.issuer)
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure(provider)))
}

/** Goes to the provider's sign-in page; it comes back to CALLBACK. */
export async function begin(provider: Provider, returnTo: string) {
  const server = await discover(provider)
  if (!server.authorization_endpoint) throw new Error('The identity provider has no sign-in page.')
  const pending: Pending = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
    returnTo,
  }
  sessionStorage.setItem(KEY, JSON.stringify(pending))
  const url = new URL(server.authorization_endpoint)
  const parameters = {
    client_id: provider.clientId,
    redirect_uri: redirectUri(),
    response_type: 'code',
    scope: provider.scopes,
    audience: provider.audience, // Auth0 asks for it; to others it is an unknown parameter, which they ignore
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  location.assign(url)
}

/** What the provider sent back becomes a session. Good for one answer: a second one finds nothing to compare with. */
export async function finish(
  provider: Provider,
  answer: URL,
): Promise<{ session: Session; returnTo: string }> {
  const kept = sessionStorage.getItem(KEY)
  sessionStorage.removeItem(KEY)
  if (!kept) throw new Error('No sign-in was begun in this tab.')
  const pending: Pending = JSON.parse(kept)
  const server = await discover(provider)
  const parameters = oauth.validateAuthResponse(server, client(provider), answer, pending.state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client(provider),
    oauth.None(),
    parameters,
    redirectUri(),
    pending.verifier,
    insecure(provider),
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client(provider), response, {
    expectedNonce: pending.nonce,
    requireIdToken: true,
  })
  return { session: sessionOf(tokens), returnTo: pending.returnTo }
}

/** Null when the provider does not renew it any more. */
export async function renew(provider: Provider, old: Session): Promise<Session | null> {
  if (!old.refreshToken) return null
  const server = await discover(provider)
  const response = await oauth.refreshTokenGrantRequest(
    server,
    client(provider),
    oauth.None(),
    old.refreshToken,
    insecure(provider),
  )
  try {
    const next = sessionOf(await oauth.processRefreshTokenResponse(server, client(provider), response))
    // A provider that does not rotate them sends none.
    return {
      ...next,
      refreshToken: next.refreshToken ?? old.refreshToken,
      idToken: next.idToken ?? old.idToken,
    }
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError) return null
    throw error
  }
}

/** Signs out at the provider too, where it offers that. */
export async function leave(provider: Provider, ended: Session) {
  const { end_session_endpoint } = await discover(provider)
  if (!end_session_endpoint) return
  const url = new URL(end_session_endpoint)
  url.searchParams.set('client_id', provider.clientId)
  url.searchParams.set('post_logout_redirect_uri', `${location.origin}/sign-in`)
  if (ended.idToken) url.searchParams.set('id_token_hint', ended.idToken)
  location.assign(url)
}

function sessionOf(tokens: oauth.TokenEndpointResponse): Session {
  return {
    accessToken: tokens.access_token,
    expiresAt: tokens.expires_in === undefined ? null : Date.now() + tokens.expires_in * 1000,
    refreshToken: tokens.refresh_token ?? null,
    idToken: tokens.id_token ?? null,
  }
}
