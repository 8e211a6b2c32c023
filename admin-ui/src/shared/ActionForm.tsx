/** The form of an action's dialog: fields, buttons, and Ctrl+Enter to submit. */
import type { FormEvent, ReactNode } from 'react'
import { type Invalid, InvalidField } from './ui'

interface Props {
  children: ReactNode
  /** The label of the submit button; null removes the button. */
  submit: string | null
  otherButton?: ReactNode
  isPending?: boolean
  invalid?: Invalid
  onSubmit: (form: FormData) => void
  onClose: () => void
}

export function ActionForm({
  children,
  submit,
  otherButton,
  isPending = false,
  invalid = null,
  onSubmit,
  onClose,
}: Props) {
  const handleSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    if (submit && !isPending) onSubmit(new FormData(event.currentTarget))
  }
  return (
    <form
      onSubmit={handleSubmit}
      onKeyDown={(event) =>
        event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.currentTarget.requestSubmit()
      }
    >
      <InvalidField value={invalid}>{children}</InvalidField>
      <footer>
        <button type="button" onClick={onClose}>
          Close
        </button>
        {otherButton}
        {submit && (
          <button type="submit" className="primary" disabled={isPending}>
            {isPending ? 'Saving…' : submit}
          </button>
        )}
      </footer>
    </form>
  )
}
