/** Filters of lists and statistics. */
import type { ReactNode } from 'react'
import { useEngineers } from './queries'
import { TIERS } from './rules'

interface SelectProps {
  label: string
  value: string
  onChange: (value: string) => void
  children: ReactNode
}

export const Select = ({ label, value, onChange, children }: SelectProps) => (
  <select
    aria-label={label}
    className={value && 'chosen'}
    value={value}
    onChange={(event) => onChange(event.target.value)}
  >
    {children}
  </select>
)

type FilterProps = Omit<SelectProps, 'label' | 'children'>

export const TierSelect = (props: FilterProps) => (
  <Select {...props} label="Tier">
    <option value="">Any tier</option>
    {TIERS.map(({ tier, name }) => (
      <option key={tier} value={tier}>
        {tier} {name}
      </option>
    ))}
  </Select>
)

export function EngineerSelect(props: FilterProps) {
  const { data } = useEngineers()
  return (
    <Select {...props} label="Engineer">
      <option value="">Any engineer</option>
      {data?.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Select>
  )
}
