/** The configuration that the server sends to the pages. */

/** The page to which the identity provider redirects. */
export const CALLBACK_PATH = '/sign-in/callback'

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

let config: Promise<UiConfig> | undefined

/** Fetches the configuration once; a failed request is repeated at the next call. */
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
