import { useSearchParams } from 'wouter'

/** Keeps the filters of a page in its address; an empty value removes the filter. */
export function useFilters() {
  const [params, setParams] = useSearchParams()
  const setFilter = (name: string, value: string | null) =>
    setParams(
      (current) => {
        value ? current.set(name, value) : current.delete(name)
        return current
      },
      { replace: true },
    )
  return { params, setFilter }
}
