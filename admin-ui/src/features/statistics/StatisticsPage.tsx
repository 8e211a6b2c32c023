import { useId } from 'react'
import { Link } from 'wouter'
import type { StatisticsInterval, StatisticsQueryVariables } from '../../gql/graphql'
import { humanize } from '../../shared/format'
import { useStatistics, type Viewer } from '../../shared/queries'
import { EngineerSelect, Select, TierSelect } from '../../shared/selects'
import { Failure, Skeleton } from '../../shared/ui'
import { useFilters } from '../../shared/useFilters'
import { addDays, isoDate } from './format'
import { Report } from './Report'

const UNITS: StatisticsInterval[] = ['DAY', 'WEEK', 'MONTH']
const DEFAULT_DAYS = 30
const TIME_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone

/** The filters in the page's address, and the query variables that they mean. */
function filtersOf(params: URLSearchParams) {
  const today = new Date()
  const from = params.get('from') ?? isoDate(addDays(today, 1 - DEFAULT_DAYS))
  const to = params.get('to') ?? isoDate(today)
  const text = (name: string) => params.get(name) ?? ''
  const unit = UNITS.find((unit) => unit === params.get('unit')) ?? 'DAY'
  const filters = {
    from,
    to,
    unit,
    tier: text('tier'),
    engineer: text('engineer'),
    customer: text('customer'),
    model: text('model'),
  }
  const variables: StatisticsQueryVariables = {
    from: midnight(from, 0),
    // `to` is exclusive: include the last day.
    to: midnight(to, 1),
    interval: unit,
    timeZone: TIME_ZONE,
    filter: {
      tier: Number(filters.tier) || null,
      engineerId: filters.engineer || null,
      customer: filters.customer || null,
      equipmentModel: filters.model || null,
    },
  }
  return { filters, variables }
}

/** Midnight in the browser's time zone. Returns an invalid date unchanged; the server reports it. */
function midnight(date: string, daysLater: number): string {
  const start = new Date(`${date}T00:00:00`)
  return Number.isNaN(start.getTime()) ? date : addDays(start, daysLater).toISOString()
}

export function StatisticsPage({ viewer }: { viewer: Viewer }) {
  const { params, setFilter } = useFilters()
  const { filters, variables } = filtersOf(params)
  const query = useStatistics(variables)
  const set = (name: string) => (value: string) => setFilter(name, value)
  return (
    <>
      <title>Statistics · Baton</title>
      <div className="bar">
        <h1>Statistics</h1>
        {params.size > 0 && <Link href="/statistics">Reset to the last {DEFAULT_DAYS} days</Link>}
      </div>
      <div className="bar filters">
        <div className="selects">
          <TextFilter label="From" type="date" value={filters.from} onChange={set('from')} />
          <TextFilter label="To" type="date" value={filters.to} onChange={set('to')} />
          <Select label="Group by" value={filters.unit} onChange={set('unit')}>
            {UNITS.map((unit) => (
              <option key={unit} value={unit}>
                By {humanize(unit).toLowerCase()}
              </option>
            ))}
          </Select>
        </div>
        <div className="selects">
          <TierSelect value={filters.tier} onChange={set('tier')} />
          {viewer.role !== 'ENGINEER' && (
            <EngineerSelect value={filters.engineer} onChange={set('engineer')} />
          )}
          <TextFilter
            label="Customer"
            value={filters.customer}
            onChange={set('customer')}
            suggestions={query.data?.timeByCustomer.nodes}
          />
          <TextFilter
            label="Equipment model"
            value={filters.model}
            onChange={set('model')}
            suggestions={query.data?.timeByEquipmentModel.nodes}
          />
        </div>
      </div>
      {query.isError ? (
        <Failure error={query.error} retry={query.refetch} />
      ) : query.data ? (
        <div className={`stack report ${query.isPlaceholderData ? 'stale' : ''}`}>
          <Report statistics={query.data} unit={filters.unit} period={`${filters.from} to ${filters.to}`} />
        </div>
      ) : (
        <Skeleton rows={12} />
      )}
    </>
  )
}

interface TextFilterProps {
  label: string
  value: string
  onChange: (value: string) => void
  type?: string
  suggestions?: { name: string | null }[] | undefined
}

/** An input that applies its value on Enter and when it loses the focus. */
function TextFilter({ label, value, onChange, type = 'text', suggestions = [] }: TextFilterProps) {
  const listId = useId()
  const apply = (typed: string) => typed !== value && onChange(typed)
  return (
    <>
      <input
        key={value}
        type={type}
        aria-label={label}
        placeholder={`Any ${label.toLowerCase()}`}
        className={value && 'chosen'}
        defaultValue={value}
        maxLength={200}
        list={suggestions.length > 0 ? listId : undefined}
        onBlur={(event) => apply(event.target.value)}
        onKeyDown={(event) => event.key === 'Enter' && apply(event.currentTarget.value)}
      />
      {suggestions.length > 0 && (
        <datalist id={listId}>
          {suggestions.map(({ name }) => name && <option key={name} value={name} />)}
        </datalist>
      )}
    </>
  )
}
