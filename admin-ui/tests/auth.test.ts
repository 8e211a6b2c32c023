import { beforeEach, expect, test, vi } from 'vitest'
import type { Session } from '../src/shared/session'

const ISSUER = 'https://idp.example'
const NOW = Date.parse('2026-01-01T12:00:00Z')
const IN_10_MINUTES = NOW + 600_000
const IN_30_SECONDS = NOW + 30_000

let tokenRequests: URLSearchParams[]
let tokenResponse: () => Response | Promise<Response>

const tokens = (fields = {}) =>
  Response.json({ access_token: 'new', token_type: 'Bearer', expires_in: 300, ...fields })

async function fakeFetch(input: string | URL, init?: RequestInit): Promise<Response> {
  const url = String(input)
  if (url === '/ui-config.json') {
    const provider = {
      kind: 'provider',
      issuer: ISSUER,
      clientId: 'pages',
      scopes: 'openid',
      audience: 'api',
    }
    return Response.json({ environment: 'production', signIn: provider })
  }
  if (url === `${ISSUER}/.well-known/openid-configuration`)
    return Response.json({
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/token`,
      end_session_endpoint: `${ISSUER}/logout`,
    })
  if (url === `${ISSUER}/token`) {
    tokenRequests.push(new URLSearchParams(String(init?.body)))
    return tokenResponse()
  }
  throw new Error(`Unexpected request: ${url}`)
}

/** Loads the page with a session. */
async function load(session: Partial<Session>) {
  const stored = { accessToken: 'old', expiresAt: null, refreshToken: 'refresh', idToken: 'id', ...session }
  sessionStorage.setItem('baton.session', JSON.stringify(stored))
  return import('../src/shared/auth')
}

const storedSession = () => JSON.parse(sessionStorage.getItem('baton.session') ?? 'null')

beforeEach(() => {
  vi.setSystemTime(NOW)
  vi.stubGlobal('fetch', vi.fn(fakeFetch))
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  tokenRequests = []
  tokenResponse = () => tokens({ refresh_token: 'rotated' })
})

test('without a session there is no token', async () => {
  const auth = await import('../src/shared/auth')
  expect(await auth.accessToken()).toBeNull()
})

test.each<[string, Partial<Session>]>([
  ['is valid for more than a minute', { expiresAt: IN_10_MINUTES }],
  ['has an unknown lifetime', { expiresAt: null }],
  ['has no refresh token', { expiresAt: IN_30_SECONDS, refreshToken: null }],
])('a token is not refreshed if it %s', async (_, session) => {
  const auth = await load(session)
  expect(await auth.accessToken()).toBe('old')
  expect(fetch).not.toHaveBeenCalled()
})

test('concurrent requests share one refresh', async () => {
  const auth = await load({ expiresAt: IN_30_SECONDS })
  expect(await Promise.all([auth.accessToken(), auth.accessToken()])).toEqual(['new', 'new'])
  expect(await auth.accessToken()).toBe('new')
  expect(tokenRequests.map((params) => Object.fromEntries(params))).toEqual([
    { client_id: 'pages', grant_type: 'refresh_token', refresh_token: 'refresh' },
  ])
  expect(storedSession()).toEqual({
    accessToken: 'new',
    expiresAt: NOW + 300_000,
    refreshToken: 'rotated',
    idToken: 'id',
  })
})

test('a refreshed token is refreshed again before it expires', async () => {
  const auth = await load({ expiresAt: IN_30_SECONDS })
  await auth.accessToken()
  vi.setSystemTime(NOW + 239_000)
  await auth.accessToken()
  expect(tokenRequests).toHaveLength(1)
  vi.setSystemTime(NOW + 241_000)
  await auth.accessToken()
  expect(tokenRequests.map((params) => params.get('refresh_token'))).toEqual(['refresh', 'rotated'])
})

test('the refresh token is kept if the provider does not rotate it', async () => {
  const auth = await load({ expiresAt: IN_30_SECONDS })
  tokenResponse = () => tokens()
  await auth.accessToken()
  expect(storedSession()).toMatchObject({ accessToken: 'new', refreshToken: 'refresh' })
})

test('a rejected refresh ends the session', async () => {
  const auth = await load({ expiresAt: IN_30_SECONDS })
  tokenResponse = () => Response.json({ error: 'invalid_grant' }, { status: 400 })
  expect(await auth.accessToken()).toBeNull()
  expect(storedSession()).toBeNull()
})

test('the old token is used while the provider is unreachable', async () => {
  const auth = await load({ expiresAt: IN_30_SECONDS })
  tokenResponse = () => Promise.reject(new TypeError('Failed to fetch'))
  expect(await auth.accessToken()).toBe('old')
  tokenResponse = () => tokens()
  expect(await auth.accessToken()).toBe('new')
})

test('the old token is used while the server is unreachable', async () => {
  const auth = await load({ expiresAt: IN_30_SECONDS })
  vi.mocked(fetch).mockRejectedValueOnce(new TypeError('Failed to fetch'))
  expect(await auth.accessToken()).toBe('old')
  expect(await auth.accessToken()).toBe('new')
})

test('a refresh does not restore a session that was ended in the meantime', async () => {
  const auth = await load({ expiresAt: IN_30_SECONDS })
  tokenResponse = async () => {
    await auth.signOut()
    return tokens()
  }
  expect(await auth.accessToken()).toBeNull()
  expect(storedSession()).toBeNull()
})

test('sign-out opens the end-session endpoint of the provider', async () => {
  const auth = await load({})
  await auth.signOut()
  expect(storedSession()).toBeNull()
  const target = new URL(vi.mocked(location.assign).mock.calls[0]?.[0] ?? '')
  expect(target.origin + target.pathname).toBe(`${ISSUER}/logout`)
  expect(target.searchParams.get('id_token_hint')).toBe('id')
})

test.each<[string, Partial<Session>, boolean]>([
  ['a valid token', { expiresAt: IN_10_MINUTES }, false],
  ['an expired token without a refresh token', { expiresAt: NOW - 1, refreshToken: null }, false],
  ['an expired token that can be refreshed', { expiresAt: NOW - 1 }, true],
])('rejection of %s by the server', async (_, session, isKept) => {
  const auth = await load(session)
  auth.handleUnauthenticated()
  expect(storedSession() !== null).toBe(isKept)
})
