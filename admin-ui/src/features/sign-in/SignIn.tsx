import './sign-in.css'
import { type FormEvent, useEffect, useState } from 'react'
import { SignInEngineersDocument, type SignInEngineersQuery } from '../../gql/graphql'
import { execute } from '../../shared/api'
import { signIn, useNotice } from '../../shared/auth'
import { CALLBACK_PATH, loadConfig, type Provider, type UiConfig } from '../../shared/config'
import { DEVELOPMENT_ROLES, type DevelopmentRole, developmentSession } from './development'

const ROLE_DESCRIPTIONS: Record<DevelopmentRole, string> = {
  dispatcher: 'assigns, escalates and reads everything',
  engineer: 'works on their own assignments',
  auditor: 'reads everything, changes nothing',
  admin: 'can do everything',
}

/** The page to open after signing in; never one of another site. */
function returnTo(): string {
  const here = new URL(location.href)
  if (!here.pathname.startsWith('/sign-in')) return here.href
  const target = new URL(here.searchParams.get('to') ?? '/', here.origin)
  // The whole address, because a path may look like a host: //evil.example
  return target.origin === here.origin ? target.href : '/'
}

/** Replaces every page while nobody is signed in. */
export function SignIn() {
  const notice = useNotice()
  const [config, setConfig] = useState<UiConfig>()
  const [problem, setProblem] = useState<string>()
  useEffect(() => {
    document.title = 'Sign in · Baton'
    loadConfig().then(setConfig, (error: Error) => setProblem(error.message))
  }, [])
  const message = problem ?? notice
  return (
    <main className="sign-in">
      <h1>Sign in to Baton</h1>
      {message && <p role="alert">{message}</p>}
      {config?.signIn.kind === 'development' && <DevelopmentSignIn onProblem={setProblem} />}
      {config?.signIn.kind === 'provider' && (
        <ProviderSignIn provider={config.signIn} onProblem={setProblem} />
      )}
      {config?.signIn.kind === 'none' && (
        <p>
          Sign-in is not configured: the server has an identity provider, but no client ID for these pages.
          Set <code>AUTH_CLIENT_ID</code>; see docs/sign-in.md.
        </p>
      )}
    </main>
  )
}

interface StepProps {
  onProblem: (problem: string | undefined) => void
}

function ProviderSignIn({ provider, onProblem }: StepProps & { provider: Provider }) {
  const [isBusy, setBusy] = useState(location.pathname === CALLBACK_PATH)
  useEffect(() => {
    if (location.pathname !== CALLBACK_PATH) return
    completeSignIn(provider).catch((error: Error) => {
      onProblem(`Sign-in failed: ${error.message}`)
      setBusy(false)
    })
  }, [provider, onProblem])
  async function start() {
    setBusy(true)
    onProblem(undefined)
    const oidc = await import('../../shared/oidc')
    await oidc.startSignIn(provider, returnTo()).catch((error: Error) => {
      onProblem(`Sign-in could not be started: ${error.message}`)
      setBusy(false)
    })
  }
  return (
    <button type="button" className="primary" disabled={isBusy} onClick={start}>
      {isBusy ? 'Signing in…' : `Sign in at ${new URL(provider.issuer).host}`}
    </button>
  )
}

let completion: Promise<void> | undefined

/** Runs once per page load: the code is valid for one use. */
function completeSignIn(provider: Provider): Promise<void> {
  completion ??= import('../../shared/oidc').then(async (oidc) => {
    const { session, returnTo } = await oidc.completeSignIn(provider, new URL(location.href))
    signIn(session, returnTo)
  })
  return completion
}

function DevelopmentSignIn({ onProblem }: StepProps) {
  const [role, setRole] = useState<DevelopmentRole>('dispatcher')
  const [engineers, setEngineers] = useState<SignInEngineersQuery['engineers']['nodes']>([])
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
      <p>This is a development server. Choose a role; there is no password.</p>
      <fieldset>
        <legend>Role</legend>
        {DEVELOPMENT_ROLES.map((name) => (
          <label key={name}>
            <input type="radio" name="role" checked={role === name} onChange={() => setRole(name)} />
            <span>
              <b>{name}</b> {ROLE_DESCRIPTIONS[name]}
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
                {engineer.name} · {engineer.activeAssignments} active
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
  const { engineers } = await execute(SignInEngineersDocument, {}, { token: accessToken })
  // Engineers with assignments first: their pages show something.
  return engineers.nodes.toSorted((one, other) => other.activeAssignments - one.activeAssignments)
}
