/** OpenID Connect: authorization code flow with PKCE. Loaded on demand. */
import * as oauth from 'oauth4webapi'
import { CALLBACK_PATH, type Provider } from './config'
import { expiryAfter, type Session } from './session'

interface PendingSignIn {
  state: string
  nonce: string
  verifier: string
  returnTo: string
}

const STORAGE_KEY = 'baton.sign-in'

const redirectUri = () => location.origin + CALLBACK_PATH
const client = (provider: Provider): oauth.Client => ({ client_id: provider.clientId })

// The server accepts a provider without TLS on the local machine only.
const requestOptions = (provider: Provider) => ({
  [oauth.allowInsecureRequests]: provider.issuer.startsWith('http:'),
})

async function discover(provider: Provider) {
  const issuer = new URL(provider.issuer)
  return oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, requestOptions(provider)),
  )
}

/** Opens the provider's sign-in page, which redirects to CALLBACK_PATH. */
export async function startSignIn(provider: Provider, returnTo: string) {
  const server = await discover(provider)
  if (!server.authorization_endpoint) throw new Error('The identity provider has no sign-in page.')
  const pending: PendingSignIn = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
    returnTo,
  }
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify(pending))
  const url = new URL(server.authorization_endpoint)
  const parameters = {
    client_id: provider.clientId,
    redirect_uri: redirectUri(),
    response_type: 'code',
    scope: provider.scopes,
    audience: provider.audience, // Auth0 requires it; other providers ignore it
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  location.assign(url)
}

/** Exchanges the code in `callback` for a session. Works once for each started sign-in. */
export async function completeSignIn(
  provider: Provider,
  callback: URL,
): Promise<{ session: Session; returnTo: string }> {
  const stored = sessionStorage.getItem(STORAGE_KEY)
  sessionStorage.removeItem(STORAGE_KEY)
  if (!stored) throw new Error('No sign-in was started in this tab. Sign in again.')
  const pending: PendingSignIn = JSON.parse(stored)
  const server = await discover(provider)
  const parameters = oauth.validateAuthResponse(server, client(provider), callback, pending.state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client(provider),
    oauth.None(),
    parameters,
    redirectUri(),
    pending.verifier,
    requestOptions(provider),
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client(provider), response, {
    expectedNonce: pending.nonce,
    requireIdToken: true,
  })
  return { session: toSession(tokens), returnTo: pending.returnTo }
}

/** Returns null when the provider rejects the refresh token. */
export async function refreshSession(provider: Provider, old: Session): Promise<Session | null> {
  if (!old.refreshToken) return null
  const server = await discover(provider)
  const response = await oauth.refreshTokenGrantRequest(
    server,
    client(provider),
    oauth.None(),
    old.refreshToken,
    requestOptions(provider),
  )
  try {
    const next = toSession(await oauth.processRefreshTokenResponse(server, client(provider), response))
    // A provider that does not rotate refresh tokens sends none.
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

/** Signs out at the provider if it has an end-session endpoint. */
export async function endSession(provider: Provider, ended: Session) {
  const { end_session_endpoint } = await discover(provider)
  if (!end_session_endpoint) return
  const url = new URL(end_session_endpoint)
  url.searchParams.set('client_id', provider.clientId)
  url.searchParams.set('post_logout_redirect_uri', `${location.origin}/sign-in`)
  if (ended.idToken) url.searchParams.set('id_token_hint', ended.idToken)
  location.assign(url)
}

function toSession(tokens: oauth.TokenEndpointResponse): Session {
  return {
    accessToken: tokens.access_token,
    expiresAt: tokens.expires_in === undefined ? null : expiryAfter(tokens.expires_in),
    refreshToken: tokens.refresh_token ?? null,
    idToken: tokens.id_token ?? null,
  }
}
