import './styles.css'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { Redirect, Route, Switch } from 'wouter'
import { ApiError } from './api'
import { signOut, useSession } from './auth'
import { SignIn } from './SignIn'

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (count, error) => (!(error instanceof ApiError) || error.passes) && count < 3,
    },
  },
})

function App() {
  const session = useSession()
  if (!session) return <SignIn />
  return (
    <Switch>
      <Route path="/sign-in">
        <Redirect to="/" replace />
      </Route>
      <Route>
        <main>
          <h1>Tickets</h1>
          <button type="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </main>
      </Route>
    </Switch>
  )
}

const root = document.getElementById('root')
if (root)
  createRoot(root).render(
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>,
  )
