/** The components and hooks that all pages use. */
import {
  type AllHTMLAttributes,
  Component,
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { humanize } from './format'

/* ---- badges ------------------------------------------------------------------------------ */
const TONES: Record<string, string> = {
  NEW: 'red',
  ASSIGNED: 'blue',
  ACCEPTED: 'teal',
  IN_PROGRESS: 'amber',
  ON_HOLD: 'violet',
  COMPLETED: 'green',
  RESOLVED: 'green',
  REJECTED: 'red',
  FAILED: 'red',
  ESCALATED: 'violet',
  SUCCESS: 'green',
  PARTS_REQUIRED: 'amber',
  CUSTOMER_UNAVAILABLE: 'amber',
  CRITICAL: 'red',
  HIGH: 'amber',
}
export const Badge = ({ code }: { code: string }) => (
  <span className={`badge tone-${TONES[code] ?? 'gray'}`}>{humanize(code)}</span>
)

/* ---- time -------------------------------------------------------------------------------- */
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' })
function ago(iso: string, now: number): string {
  const seconds = (Date.parse(iso) - now) / 1000
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
  return Math.abs(seconds) < 45 ? 'just now' : relative.format(Math.round(seconds / size), unit)
}
const Clock = createContext(0)
/** One timer updates all relative times on the page. */
export function ClockProvider({ children }: { children: ReactNode }) {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 15_000)
    return () => clearInterval(timer)
  }, [])
  return <Clock value={now}>{children}</Clock>
}
export function Time({ at }: { at: string }) {
  const now = useContext(Clock)
  // An event may be newer than the last tick.
  return (
    <time dateTime={at} title={absolute.format(new Date(at))}>
      {ago(at, Math.max(now, Date.parse(at)))}
    </time>
  )
}

/* ---- states ------------------------------------------------------------------------------ */
export const Skeleton = ({ rows = 6 }: { rows?: number }) => (
  <div className="skeleton" role="status" aria-label="Loading" style={{ height: `${rows * 3.2}rem` }} />
)
export const Empty = ({ title, children }: { title: string; children?: ReactNode }) => (
  <div className="empty">
    <strong>{title}</strong>
    {children && <p>{children}</p>}
  </div>
)
export const NotFound = ({ title, children }: { title: string; children: ReactNode }) => (
  <div className="empty">
    <title>Not found · Baton</title>
    <h1>{title}</h1>
    <p>{children}</p>
  </div>
)
export const Failure = ({ error, retry }: { error: Error; retry?: () => void }) => (
  <div className="failure" role="alert">
    <span>
      <strong>That did not work.</strong> {error.message}
    </span>
    {retry && (
      <button type="button" onClick={retry}>
        Try again
      </button>
    )}
  </div>
)

/** Shows an error of the pages themselves instead of an empty page. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state = { error: null }
  static getDerivedStateFromError = (error: Error) => ({ error })
  override render() {
    const { error } = this.state
    return error ? <Failure error={error} retry={() => location.reload()} /> : this.props.children
  }
}

/* ---- focus ------------------------------------------------------------------------------- */
/** Focuses the page if the focused element has been removed, so that the keyboard does not start at the top. */
export function restoreFocus() {
  if (document.activeElement === document.body) document.getElementById('main')?.focus()
}

/* ---- dialog: the native element, which traps the focus and closes on Escape ----------------- */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string
  onClose: () => void
  children: ReactNode
}) {
  const ref = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const dialog = ref.current
    dialog?.showModal()
    return () => {
      dialog?.close() // before it is removed, so that the browser restores the focus
      restoreFocus()
    }
  }, [])
  return (
    <dialog ref={ref} aria-label={title} onClose={onClose}>
      <div className="dialog-body">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  )
}

/* ---- form fields, with the server's validation error below --------------------------------- */
export type Invalid = { field: string; problem: string } | null
export const InvalidField = createContext<Invalid>(null)
interface FieldProps extends AllHTMLAttributes<HTMLElement> {
  as?: 'input' | 'select' | 'textarea'
  name: string
  label: string
}
export function Field({ as: Control = 'input', label, ...control }: FieldProps) {
  const id = useId()
  const invalid = useContext(InvalidField)
  const problem = invalid?.field === control.name ? invalid.problem : undefined
  const problemId = problem && `${id}-problem`
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <Control {...control} id={id} aria-invalid={!!problem} aria-describedby={problemId} />
      {problem && (
        <p className="problem" id={problemId} role="alert">
          {label} {problem}.
        </p>
      )}
    </div>
  )
}

/* ---- toasts ------------------------------------------------------------------------------ */
const Toasts = createContext<(message: string) => void>(() => {})
export const useToast = () => useContext(Toasts)
export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<{ id: number; message: string }[]>([])
  const push = useCallback((message: string) => {
    const id = performance.now()
    setToasts((list) => [...list.slice(-2), { id, message }])
    setTimeout(() => setToasts((list) => list.filter((toast) => toast.id !== id)), 5_000)
  }, [])
  return (
    <Toasts value={push}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map(({ id, message }) => (
          <p key={id}>{message}</p>
        ))}
      </div>
    </Toasts>
  )
}

/* ---- keyboard shortcuts, ignored while typing and while a dialog is open -------------------- */
const CHORD_MS = 1_000
let chordStartedAt = -CHORD_MS
/** Binds single keys, and chords that start with g: `{ j: next, 'g t': goToTickets }`. */
export function useKeys(keys: Record<string, (() => void) | false | undefined>) {
  const latest = useRef(keys)
  useEffect(() => {
    latest.current = keys
  })
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof Element && event.target.matches('input, textarea, select')
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        isTyping ||
        document.querySelector('dialog[open]')
      )
        return
      const inChord = event.timeStamp > chordStartedAt && event.timeStamp < chordStartedAt + CHORD_MS
      const action = latest.current[inChord ? `g ${event.key}` : event.key]
      if (event.key === 'g' && !inChord) chordStartedAt = event.timeStamp
      if (action) {
        event.preventDefault()
        action()
      }
    }
    addEventListener('keydown', listener)
    return () => removeEventListener('keydown', listener)
  }, [])
}
