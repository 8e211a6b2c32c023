import './sign-in.css'
import { type FormEvent, useEffect, useState } from 'react'
import { EngineersToBeDocument, type EngineersToBeQuery } from '../../gql/graphql'
import { execute } from '../../shared/api'
import {
  DEVELOPMENT_ROLES,
  type DevelopmentRole,
  developmentSession,
  loadConfig,
  type Provider,
  signIn,
  type UiConfig,
  useNotice,
} from '../../shared/auth'

const MAY: Record<DevelopmentRole, string> = {
  dispatcher: 'assigns, escalates and reads everything',
  engineer: 'works on tickets of their own',
  auditor: 'reads everything, changes nothing',
  admin: 'may do everything',
}

/** Where to go after signing in: the page that was asked for, never another site. */
function returnTo(): string {
  const here = new URL(location.href)
  if (!here.pathname.startsWith('/sign-in')) return here.href
  const wanted = new URL(here.searchParams.get('to') ?? '/', here.origin)
  // Whole, as a path may look like a host: //evil.example
  return wanted.origin === here.origin ? wanted.href : '/'
}

/** Shown in the place of every page while nobody is signed in, and at /sign-in. */
export function SignIn() {
  const notice = useNotice()
  const [config, setConfig] = useState<UiConfig>()
  const [problem, setProblem] = useState<string>()
  useEffect(() => {
    document.title = 'Sign in · Baton'
    loadConfig().then(setConfig, (error: Error) => setProblem(error.message))
  }, [])
  const said = problem ?? notice
  return (
    <main className="sign-in">
      <h1>Sign in to Baton</h1>
      {said && <p role="alert">{said}</p>}
      {config?.signIn.kind === 'development' && <Development onProblem={setProblem} />}
      {config?.signIn.kind === 'provider' && <AtProvider provider={config.signIn} onProblem={setProblem} />}
      {config?.signIn.kind === 'none' && (
        <p>
          Nobody can sign in here yet: this server knows its identity provider, but not these pages' client
          id. Set <code>AUTH_CLIENT_ID</code>; docs/sign-in.md says how.
        </p>
      )}
    </main>
  )
}

interface Step {
  onProblem: (problem: string | undefined) => void
}

function AtProvider({ provider, onProblem }: Step & { provider: Provider }) {
  const [busy, setBusy] = useState(location.pathname === '/sign-in/callback')
  useEffect(() => {
    if (location.pathname !== '/sign-in/callback') return
    finish(provider).catch((error: Error) => {
      onProblem(`That did not work: ${error.message}`)
      setBusy(false)
    })
  }, [provider, onProblem])
  async function begin() {
    setBusy(true)
    onProblem(undefined)
    const oidc = await import('../../shared/oidc')
    await oidc.begin(provider, returnTo()).catch((error: Error) => {
      onProblem(`The identity provider does not answer as it should: ${error.message}`)
      setBusy(false)
    })
  }
  return (
    <button type="button" className="primary" disabled={busy} onClick={begin}>
      {busy ? 'One moment…' : `Sign in at ${new URL(provider.issuer).host}`}
    </button>
  )
}

let finishing: Promise<void> | undefined

/** Once for each page: the code that came is good for one use. */
function finish(provider: Provider): Promise<void> {
  finishing ??= import('../../shared/oidc').then(async (oidc) => {
    const { session, returnTo } = await oidc.finish(provider, new URL(location.href))
    signIn(session, returnTo)
  })
  return finishing
}

function Development({ onProblem }: Step) {
  const [role, setRole] = useState<DevelopmentRole>('dispatcher')
  const [engineers, setEngineers] = useState<EngineersToBeQuery['engineers']['nodes']>([])
  const [engineerId, setEngineerId] = useState<string>()
  const isEngineer = role === 'engineer'
  useEffect(() => {
    if (!isEngineer) return
    listEngineers().then(
      (list) => {
        setEngineers(list)
        setEngineerId(list[0]?.id)
      },
      (error: Error) => onProblem(error.message),
    )
  }, [isEngineer, onProblem])
  async function submit(event: FormEvent) {
    event.preventDefault()
    onProblem(undefined)
    try {
      signIn(await developmentSession(role, isEngineer ? (engineerId ?? null) : null), returnTo())
    } catch (error) {
      onProblem((error as Error).message)
    }
  }
  return (
    <form onSubmit={submit}>
      <p>This is a development server: choose whom you want to be. There is no password.</p>
      <fieldset>
        <legend>Role</legend>
        {DEVELOPMENT_ROLES.map((name) => (
          <label key={name}>
            <input type="radio" name="role" checked={role === name} onChange={() => setRole(name)} />
            <span>
              <b>{name}</b> {MAY[name]}
            </span>
          </label>
        ))}
      </fieldset>
      {isEngineer && (
        <label className="engineer">
          Engineer
          <select required value={engineerId} onChange={(event) => setEngineerId(event.target.value)}>
            {engineers.map((engineer) => (
              <option key={engineer.id} value={engineer.id}>
                {engineer.name} · holds {engineer.activeAssignments}
                {engineer.isActive ? '' : ' · inactive'}
              </option>
            ))}
          </select>
        </label>
      )}
      <button type="submit" className="primary" disabled={isEngineer && !engineerId}>
        Sign in
      </button>
    </form>
  )
}

async function listEngineers() {
  const { accessToken } = await developmentSession('dispatcher', null)
  const { engineers } = await execute(EngineersToBeDocument, {}, { token: accessToken })
  // Those with work first: they have something to show.
  return engineers.nodes.toSorted((one, other) => other.activeAssignments - one.activeAssignments)
}
