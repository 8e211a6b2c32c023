/** Figures of a period, each with the table that they come from. */
import { type ReactNode, useId } from 'react'
import { Link, useSearchParams } from 'wouter'
import type { StatisticsQueryVariables, TookFragment, Unit } from '../../gql/graphql'
import { type Statistics, useStatistics, type Viewer } from '../../shared/queries'
import { TIERS } from '../../shared/rules'
import { Failure, Skeleton, words } from '../../shared/ui'
import { EngineerSelect, Select } from '../tickets/TicketList'
import { type Cell, csv, download } from './csv'

const UNITS: Unit[] = ['DAY', 'WEEK', 'MONTH']
const USUAL_DAYS = 30
const TIME_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone

/* ---- words ------------------------------------------------------------------------------- */
const day = (date: Date) =>
  [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, '0'))
    .join('-')
const daysFrom = (date: Date, days: number) =>
  new Date(date.getFullYear(), date.getMonth(), date.getDate() + days)
const tierName = (tier: number) => `${tier} ${TIERS.find((one) => one.tier === tier)?.name ?? ''}`.trim()
const percent = (share: string | null) => (share === null ? '–' : `${(Number(share) * 100).toFixed(1)} %`)
function duration(seconds: string | null): string {
  if (seconds === null) return '–'
  const minutes = Math.round(Number(seconds) / 60)
  if (minutes < 60) return `${minutes} min`
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${(minutes / 60 / 24).toFixed(1)} days`
}

/* ---- what is asked for, as the address has it ---------------------------------------------- */
function wantedBy(params: URLSearchParams) {
  const today = new Date()
  const from = params.get('from') ?? day(daysFrom(today, 1 - USUAL_DAYS))
  const to = params.get('to') ?? day(today)
  const text = (name: string) => params.get(name) ?? ''
  const unit = UNITS.find((unit) => unit === params.get('unit')) ?? 'DAY'
  const shown = {
    from,
    to,
    unit,
    tier: text('tier'),
    engineer: text('engineer'),
    customer: text('customer'),
    model: text('model'),
  }
  const asked: StatisticsQueryVariables = {
    from: midnight(from, 0),
    // The last day is shown whole.
    to: midnight(to, 1),
    unit,
    timeZone: TIME_ZONE,
    filter: {
      tier: Number(shown.tier) || null,
      engineerId: shown.engineer || null,
      customer: shown.customer || null,
      equipmentModel: shown.model || null,
    },
  }
  return { shown, asked }
}

/** Where the reader is. What is no date is left to the server to refuse. */
function midnight(date: string, daysLater: number): string {
  const at = new Date(`${date}T00:00:00`)
  return Number.isNaN(at.getTime()) ? date : daysFrom(at, daysLater).toISOString()
}

export function StatisticsPage({ viewer }: { viewer: Viewer }) {
  const [params, setParams] = useSearchParams()
  const { shown, asked } = wantedBy(params)
  const query = useStatistics(asked)
  const set = (name: string) => (value: string) =>
    setParams(
      (old) => {
        value ? old.set(name, value) : old.delete(name)
        return old
      },
      { replace: true },
    )
  return (
    <>
      <title>Statistics · Baton</title>
      <div className="bar">
        <h1>Statistics</h1>
        {params.size > 0 && <Link href="/statistics">The last {USUAL_DAYS} days of everything</Link>}
      </div>
      <div className="bar filters">
        <div className="selects">
          <Typed label="From" type="date" value={shown.from} onChange={set('from')} />
          <Typed label="To" type="date" value={shown.to} onChange={set('to')} />
          <Select label="Parts" value={shown.unit} onChange={set('unit')}>
            {UNITS.map((unit) => (
              <option key={unit} value={unit}>
                By {words(unit).toLowerCase()}
              </option>
            ))}
          </Select>
        </div>
        <div className="selects">
          <Select label="Tier" value={shown.tier} onChange={set('tier')}>
            <option value="">Any tier</option>
            {TIERS.map(({ tier }) => (
              <option key={tier} value={tier}>
                {tierName(tier)}
              </option>
            ))}
          </Select>
          {viewer.role !== 'ENGINEER' && <EngineerSelect value={shown.engineer} onChange={set('engineer')} />}
          <Typed
            label="Customer"
            value={shown.customer}
            onChange={set('customer')}
            known={query.data?.timeByCustomer.nodes}
          />
          <Typed
            label="Equipment model"
            value={shown.model}
            onChange={set('model')}
            known={query.data?.timeByEquipmentModel.nodes}
          />
        </div>
      </div>
      {query.isError ? (
        <Failure error={query.error} retry={query.refetch} />
      ) : query.data ? (
        <div className={`stack report ${query.isPlaceholderData ? 'stale' : ''}`}>
          <Report found={query.data} unit={shown.unit} file={`${shown.from} to ${shown.to}`} />
        </div>
      ) : (
        <Skeleton rows={12} />
      )}
    </>
  )
}

interface TypedProps {
  label: string
  value: string
  onChange: (value: string) => void
  type?: string
  known?: { name: string | null }[] | undefined
}

/** Takes what was typed when it is complete: at Enter, or when somebody goes on. */
function Typed({ label, value, onChange, type = 'text', known = [] }: TypedProps) {
  const list = useId()
  const take = (typed: string) => typed !== value && onChange(typed)
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
        list={known.length > 0 ? list : undefined}
        onBlur={(event) => take(event.target.value)}
        onKeyDown={(event) => event.key === 'Enter' && take(event.currentTarget.value)}
      />
      {known.length > 0 && (
        <datalist id={list}>{known.map(({ name }) => name && <option key={name} value={name} />)}</datalist>
      )}
    </>
  )
}

/* ---- the report ---------------------------------------------------------------------------- */
function Report({ found, unit, file }: { found: Statistics; unit: Unit; file: string }) {
  const { tickets, engineers, timeByCustomer, timeByEquipmentModel } = found
  return (
    <>
      <dl className="figures">
        <Figure name="Tickets reported" value={tickets.tickets} />
        <Figure
          name="Escalations per ticket"
          value={tickets.averageEscalations === null ? '–' : Number(tickets.averageEscalations).toFixed(2)}
        >
          {percent(tickets.escalatedShare)} of tickets went up
        </Figure>
        <Figure name="Time to accept" value={duration(found.timeToAccept.p50Seconds)}>
          {spread(found.timeToAccept)}
        </Figure>
        <Figure name="Time to resolve" value={duration(found.timeToResolve.p50Seconds)}>
          {spread(found.timeToResolve)}
        </Figure>
      </dl>
      <Table
        title={`${words(unit)} by ${unit.toLowerCase()}`}
        chart={<Chart parts={found.series} />}
        file={file}
        rows={found.series}
        columns={[
          { name: 'First day', of: (part) => part.start },
          { name: 'Tickets', of: (part) => part.tickets },
          { name: 'Assignments', of: (part) => part.assignments },
          { name: 'Escalations', of: (part) => part.escalations },
          { name: 'Completed', of: (part) => part.completed },
          { name: 'Hours', of: (part) => part.timeSpentHours },
        ]}
      />
      <Table
        title="Escalations per ticket"
        file={file}
        rows={tickets.byEscalations}
        columns={[
          { name: 'Escalations', of: (row) => row.escalations },
          { name: 'Tickets', of: (row) => row.tickets, bar: true },
        ]}
      />
      <Table
        title="Escalations from tier to tier"
        file={file}
        rows={found.escalations}
        columns={[
          { name: 'From', of: (row) => tierName(row.fromTier) },
          { name: 'To', of: (row) => (row.toTier === null ? 'not recorded' : tierName(row.toTier)) },
          { name: 'By people', of: (row) => row.manual, bar: true },
          { name: 'By rule', of: (row) => row.automatic },
        ]}
      />
      <Table
        title="Engineers"
        file={file}
        rows={engineers.nodes}
        total={engineers.totalCount}
        columns={[
          { name: 'Engineer', of: (row) => row.engineer.name },
          { name: 'Hours', of: (row) => row.timeSpentHours, bar: true },
          { name: 'Given', of: (row) => row.assignments },
          { name: 'Accepted', of: (row) => row.accepted },
          { name: 'Time to accept', of: (row) => row.meanSecondsToAccept, show: (cell) => duration(cell) },
          { name: 'Completed', of: (row) => row.completed },
          { name: 'Failed', of: (row) => row.failed },
          { name: 'Rejected', of: (row) => row.rejected },
          { name: 'Handed over', of: (row) => row.reassigned },
          { name: 'Cancelled', of: (row) => row.cancelled },
          { name: 'Handed up by people', of: (row) => row.escalatedFromManually },
          { name: 'Handed up by rule', of: (row) => row.escalatedFromAutomatically },
          { name: 'Came up by people', of: (row) => row.escalatedToManually },
          { name: 'Came up by rule', of: (row) => row.escalatedToAutomatically },
        ]}
      />
      <Table
        title="Outcomes"
        file={file}
        rows={found.outcomes}
        columns={[
          { name: 'Ended as', of: (row) => words(row.status) },
          { name: 'Outcome', of: (row) => (row.completionStatus ? words(row.completionStatus) : '') },
          { name: 'Assignments', of: (row) => row.assignments, bar: true },
        ]}
      />
      <Table
        title="Rejections by reason"
        file={file}
        rows={found.rejections}
        columns={[
          { name: 'Reason', of: (row) => row.reason ?? 'not recorded' },
          { name: 'Assignments', of: (row) => row.assignments, bar: true },
        ]}
      />
      <Table
        title="Time by tier"
        file={file}
        rows={found.timeByTier}
        columns={[{ name: 'Tier', of: (row) => tierName(row.tier) }, ...SPENT]}
      />
      <Table
        title="Time by equipment model"
        file={file}
        rows={timeByEquipmentModel.nodes}
        total={timeByEquipmentModel.totalCount}
        columns={[{ name: 'Model', of: (row) => row.name ?? 'not recorded' }, ...SPENT]}
      />
      <Table
        title="Time by customer"
        file={file}
        rows={timeByCustomer.nodes}
        total={timeByCustomer.totalCount}
        columns={[{ name: 'Customer', of: (row) => row.name ?? 'not recorded' }, ...SPENT]}
      />
    </>
  )
}

/** Two columns for each part, as high as the highest of all allows. */
function Chart({ parts }: { parts: Statistics['series'] }) {
  const most = Math.max(1, ...parts.flatMap(({ tickets, escalations }) => [tickets, escalations]))
  const column = (className: string, x: number, count: number) => (
    <rect
      className={className}
      x={x}
      width="1.2"
      y={100 - (100 * count) / most}
      height={(100 * count) / most}
    />
  )
  return (
    <figure className="chart">
      <svg aria-hidden="true" viewBox={`0 0 ${parts.length * 3} 100`} preserveAspectRatio="none">
        {parts.map(({ start, tickets, escalations }, place) => (
          <g key={start}>
            <title>{`${start}: ${tickets} tickets, ${escalations} escalations`}</title>
            {column('of-tickets', place * 3, tickets)}
            {column('of-escalations', place * 3 + 1.3, escalations)}
          </g>
        ))}
      </svg>
      <figcaption>
        <b className="of-tickets">Tickets reported</b> and <b className="of-escalations">escalations</b>,{' '}
        {most} at most
      </figcaption>
    </figure>
  )
}

const SPENT: Column<{ timeSpentHours: string; assignments: number }>[] = [
  { name: 'Hours', of: (row) => row.timeSpentHours, bar: true },
  { name: 'Assignments', of: (row) => row.assignments },
]

const spread = ({ counted, leftOut, meanSeconds, p95Seconds }: TookFragment) =>
  `median of ${counted}; mean ${duration(meanSeconds)}, 95 % within ${duration(p95Seconds)}` +
  (leftOut > 0 ? `; ${leftOut} old records left out` : '')

const Figure = ({ name, value, children }: { name: string; value: Cell; children?: ReactNode }) => (
  <div className="card">
    <dt>{name}</dt>
    <dd>
      <strong>{value}</strong>
      {children && <small className="below">{children}</small>}
    </dd>
  </div>
)

interface Column<Row> {
  name: string
  /** As the file has it. */
  of: (row: Row) => Cell
  /** As the page shows it: seconds, in words. */
  show?: (cell: string | null) => string
  /** A number that a bar stands beside. */
  bar?: boolean
}

function Table<Row>({
  title,
  file,
  rows,
  total = rows.length,
  columns,
  chart,
}: {
  title: string
  chart?: ReactNode
  file: string
  rows: Row[]
  total?: number
  columns: Column<Row>[]
}) {
  const id = useId()
  const save = () =>
    download(
      `${title}, ${file}.csv`,
      csv([
        columns.map(({ name, show }) => (show ? `${name}, seconds` : name)),
        ...rows.map((row) => columns.map(({ of }) => of(row))),
      ]),
    )
  return (
    <section className="card" aria-labelledby={id}>
      <div className="card-head">
        <h2 id={id}>{title}</h2>
        <span>
          {total > rows.length && (
            <small>
              the first {rows.length} of {total}{' '}
            </small>
          )}
          <button
            type="button"
            className="small"
            aria-label={`Download ${title} as CSV`}
            disabled={rows.length === 0}
            onClick={save}
          >
            CSV
          </button>
        </span>
      </div>
      {rows.length === 0 ? (
        <p className="muted none">Nothing in this period.</p>
      ) : (
        <>
          {chart}
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys */}
          <div className="scroll" tabIndex={0}>
            <table className="statistics">
              <thead>
                <tr>
                  {columns.map(({ name }) => (
                    <th key={name} scope="col">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map((row, place) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name, and come anew as a whole
                  <tr key={place}>
                    {columns.map((column) => (
                      <TableCell key={column.name} column={column} row={row} rows={rows} />
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  )
}

function TableCell<Row>({
  column: { of, show, bar },
  row,
  rows,
}: {
  column: Column<Row>
  row: Row
  rows: Row[]
}) {
  const cell = of(row)
  const text = show ? show(cell === null ? null : String(cell)) : cell
  if (!bar) return <td>{text}</td>
  const most = Math.max(...rows.map((one) => Number(of(one))))
  return (
    <td className="with-bar">
      {text}
      {/* The number is beside it. */}
      <svg aria-hidden="true" viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect width={most > 0 ? (100 * Number(cell)) / most : 0} height="1" />
      </svg>
    </td>
  )
}
