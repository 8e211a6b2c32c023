import './shared/styles.css'
import { QueryClient, QueryClientProvider, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { Link, Redirect, Route, Switch, useLocation } from 'wouter'
import { MyWork } from './features/my-work/MyWork'
import { useOutbox } from './features/my-work/OutboxPanel'
import { Outbox } from './features/my-work/outbox'
import { SignIn } from './features/sign-in/SignIn'
import { StatisticsPage } from './features/statistics/StatisticsPage'
import { TicketPage } from './features/ticket/TicketPage'
import { TicketList } from './features/tickets/TicketList'
import { ACTIONS } from './shared/actions'
import { ApiError, type LiveState, useLiveState } from './shared/api'
import { signOut, useSession } from './shared/auth'
import { humanize } from './shared/format'
import { clearPersonalData, useLiveUpdates, useViewer, type Viewer } from './shared/queries'
import {
  ClockProvider,
  Dialog,
  ErrorBoundary,
  Failure,
  NotFound,
  Skeleton,
  ToastProvider,
  useKeys,
} from './shared/ui'

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (count, error) => (!(error instanceof ApiError) || error.isTransient) && count < 3,
    },
  },
})

const SHORTCUTS: [string, string][] = [
  ['g t', 'Tickets'],
  ['g m', 'My work'],
  ['g s', 'Statistics'],
  ['/', 'Search tickets'],
  ['j  k', 'Next, previous ticket'],
  ['Enter', 'Open the ticket'],
  ['u', 'Back to the list'],
  ...ACTIONS.map(({ key, verb }): [string, string] => [key, verb]),
  ['Ctrl Enter', 'Send the form'],
  ['Esc', 'Close'],
  ['?', 'Keyboard shortcuts'],
]
const LIVE_LABELS: Record<LiveState, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Reconnecting…',
}

function App() {
  const session = useSession()
  useTheme()
  useEffect(() => {
    if (!session) clearPersonalData(client)
  }, [session])
  if (!session) return <SignIn />
  return (
    <Switch>
      <Route path="/sign-in">
        <Redirect to="/" replace />
      </Route>
      <Route>
        <SignedIn />
      </Route>
    </Switch>
  )
}

function SignedIn() {
  const viewer = useViewer()
  if (viewer.data) return <Shell viewer={viewer.data} />
  return (
    <main>{viewer.isError ? <Failure error={viewer.error} retry={viewer.refetch} /> : <Skeleton />}</main>
  )
}

function Shell({ viewer }: { viewer: Viewer }) {
  const client = useQueryClient()
  const outbox = useMemo(() => new Outbox(viewer.subject, client), [viewer.subject, client])
  useEffect(() => outbox.start(), [outbox])
  useLiveUpdates()
  const [path, go] = useLocation()
  const [isHelpOpen, setHelpOpen] = useState(false)
  useKeys({
    '?': () => setHelpOpen(true),
    'g t': () => go('/'),
    'g m': () => go('/my-work'),
    'g s': () => go('/statistics'),
  })

  const main = useRef<HTMLElement>(null)
  const shownPath = useRef(path)
  useEffect(() => {
    if (shownPath.current === path) return
    shownPath.current = path
    // Screen readers and the keyboard continue at the new page.
    if (!main.current?.contains(document.activeElement)) main.current?.focus()
    scrollTo(0, 0)
  }, [path])
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <Header viewer={viewer} outbox={outbox} path={path} openHelp={() => setHelpOpen(true)} />
      <main id="main" ref={main} tabIndex={-1}>
        <Switch>
          <Route path="/">
            <TicketList viewer={viewer} />
          </Route>
          <Route path="/tickets/:id">{({ id }) => <TicketPage key={id} id={id} viewer={viewer} />}</Route>
          <Route path="/my-work">
            <MyWork viewer={viewer} outbox={outbox} />
          </Route>
          <Route path="/statistics">
            <StatisticsPage viewer={viewer} />
          </Route>
          <Route>
            <NotFound title="Page not found">
              <Link href="/">Back to the tickets</Link>
            </NotFound>
          </Route>
        </Switch>
      </main>
      {isHelpOpen && (
        <Dialog title="Keyboard shortcuts" onClose={() => setHelpOpen(false)}>
          <dl className="shortcuts">
            {SHORTCUTS.map(([key, description]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{description}</dd>
              </div>
            ))}
          </dl>
          <form method="dialog">
            <footer>
              <button type="submit">Close</button>
            </footer>
          </form>
        </Dialog>
      )}
    </>
  )
}

function Header({
  viewer,
  outbox,
  path,
  openHelp,
}: {
  viewer: Viewer
  outbox: Outbox
  path: string
  openHelp: () => void
}) {
  const live = useLiveState()
  const { items } = useOutbox(outbox)
  const [theme, setTheme] = useTheme()
  const pages: [string, string][] = [
    ['/', 'Tickets'],
    ['/my-work', 'My work'],
    ['/statistics', 'Statistics'],
  ]
  return (
    <header className="top">
      <Link href="/" className="brand">
        Baton
      </Link>
      <nav className="nav" aria-label="Main">
        {pages
          .filter(([href]) => href !== '/my-work' || viewer.engineer)
          .map(([href, name]) => (
            <Link key={href} href={href} aria-current={path === href ? 'page' : undefined}>
              {name}
              {href === '/my-work' && items.length > 0 && (
                <span className="count" title="Not sent yet">
                  {items.length}
                </span>
              )}
            </Link>
          ))}
        <a href="/graphiql">GraphiQL</a>
      </nav>
      <span className={`live live-${live}`} role="status">
        {LIVE_LABELS[live]}
      </span>
      <span className="viewer" title={viewer.subject}>
        <small>{humanize(viewer.role)}</small> {viewer.engineer?.name ?? viewer.subject}
      </span>
      <select aria-label="Theme" value={theme} onChange={(event) => setTheme(event.target.value)}>
        <option value="system">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
      <button
        type="button"
        className="quiet help"
        onClick={openHelp}
        aria-label="Keyboard shortcuts"
        aria-keyshortcuts="?"
      >
        ?
      </button>
      <button type="button" className="quiet" onClick={() => void signOut()}>
        Sign out
      </button>
    </header>
  )
}

function useTheme() {
  const [theme, setTheme] = useState(() => localStorage.getItem('theme') ?? 'system')
  useEffect(() => {
    document.documentElement.dataset.theme = theme
    localStorage.setItem('theme', theme)
  }, [theme])
  return [theme, setTheme] as const
}

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={client}>
      <ClockProvider>
        <ToastProvider>
          <ErrorBoundary>
            <App />
          </ErrorBoundary>
        </ToastProvider>
      </ClockProvider>
    </QueryClientProvider>,
  )
}
