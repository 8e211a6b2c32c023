import type { ReactNode } from 'react'
import type { DurationSummaryFragment, StatisticsInterval } from '../../gql/graphql'
import { humanize } from '../../shared/format'
import type { Statistics } from '../../shared/queries'
import type { Cell } from './csv'
import { formatDuration, formatShare, tierName } from './format'
import { type Column, Table } from './Table'

/** The key figures and tables of a period. */
export function Report({
  statistics,
  unit,
  period,
}: {
  statistics: Statistics
  unit: StatisticsInterval
  period: string
}) {
  const { tickets, engineers, timeByCustomer, timeByEquipmentModel } = statistics
  return (
    <>
      <dl className="figures">
        <Figure name="Tickets reported" value={tickets.tickets} />
        <Figure
          name="Escalations per ticket"
          value={tickets.averageEscalations === null ? '–' : Number(tickets.averageEscalations).toFixed(2)}
        >
          {formatShare(tickets.escalatedShare)} of tickets were escalated
        </Figure>
        <Figure name="Time to accept" value={formatDuration(statistics.timeToAccept.p50Seconds)}>
          {describe(statistics.timeToAccept)}
        </Figure>
        <Figure name="Time to resolve" value={formatDuration(statistics.timeToResolve.p50Seconds)}>
          {describe(statistics.timeToResolve)}
        </Figure>
      </dl>
      <Table
        title={`${humanize(unit)} by ${unit.toLowerCase()}`}
        chart={<Chart series={statistics.series} />}
        period={period}
        rows={statistics.series}
        columns={[
          { name: 'First day', value: (row) => row.start },
          { name: 'Tickets', value: (row) => row.tickets },
          { name: 'Assignments', value: (row) => row.assignments },
          { name: 'Escalations', value: (row) => row.escalations },
          { name: 'Completed', value: (row) => row.completed },
          { name: 'Hours', value: (row) => row.timeSpentHours },
        ]}
      />
      <Table
        title="Escalations per ticket"
        period={period}
        rows={tickets.byEscalations}
        columns={[
          { name: 'Escalations', value: (row) => row.escalations },
          { name: 'Tickets', value: (row) => row.tickets, hasBar: true },
        ]}
      />
      <Table
        title="Escalations from tier to tier"
        period={period}
        rows={statistics.escalations}
        columns={[
          { name: 'From', value: (row) => tierName(row.fromTier) },
          { name: 'To', value: (row) => (row.toTier === null ? 'not recorded' : tierName(row.toTier)) },
          { name: 'Manual', value: (row) => row.manual, hasBar: true },
          { name: 'Automatic', value: (row) => row.automatic },
        ]}
      />
      <Table
        title="Engineers"
        period={period}
        rows={engineers.nodes}
        total={engineers.totalCount}
        columns={[
          { name: 'Engineer', value: (row) => row.engineer.name },
          { name: 'Hours', value: (row) => row.timeSpentHours, hasBar: true },
          { name: 'Assignments', value: (row) => row.assignments },
          { name: 'Accepted', value: (row) => row.accepted },
          { name: 'Time to accept', value: (row) => row.meanSecondsToAccept, format: formatDuration },
          { name: 'Completed', value: (row) => row.completed },
          { name: 'Failed', value: (row) => row.failed },
          { name: 'Rejected', value: (row) => row.rejected },
          { name: 'Reassigned', value: (row) => row.reassigned },
          { name: 'Cancelled', value: (row) => row.cancelled },
          { name: 'Escalated from, manually', value: (row) => row.escalatedFromManually },
          { name: 'Escalated from, automatically', value: (row) => row.escalatedFromAutomatically },
          { name: 'Escalated to, manually', value: (row) => row.escalatedToManually },
          { name: 'Escalated to, automatically', value: (row) => row.escalatedToAutomatically },
        ]}
      />
      <Table
        title="Outcomes"
        period={period}
        rows={statistics.outcomes}
        columns={[
          { name: 'Status', value: (row) => humanize(row.status) },
          { name: 'Outcome', value: (row) => (row.completionStatus ? humanize(row.completionStatus) : '') },
          { name: 'Assignments', value: (row) => row.assignments, hasBar: true },
        ]}
      />
      <Table
        title="Rejections by reason"
        period={period}
        rows={statistics.rejections}
        columns={[
          { name: 'Reason', value: (row) => row.reason ?? 'not recorded' },
          { name: 'Assignments', value: (row) => row.assignments, hasBar: true },
        ]}
      />
      <Table
        title="Time by tier"
        period={period}
        rows={statistics.timeByTier}
        columns={[{ name: 'Tier', value: (row) => tierName(row.tier) }, ...TIME_COLUMNS]}
      />
      <Table
        title="Time by equipment model"
        period={period}
        rows={timeByEquipmentModel.nodes}
        total={timeByEquipmentModel.totalCount}
        columns={[{ name: 'Model', value: (row) => row.name ?? 'not recorded' }, ...TIME_COLUMNS]}
      />
      <Table
        title="Time by customer"
        period={period}
        rows={timeByCustomer.nodes}
        total={timeByCustomer.totalCount}
        columns={[{ name: 'Customer', value: (row) => row.name ?? 'not recorded' }, ...TIME_COLUMNS]}
      />
    </>
  )
}

/** Two columns per unit of time: tickets and escalations. */
function Chart({ series }: { series: Statistics['series'] }) {
  const max = Math.max(1, ...series.flatMap(({ tickets, escalations }) => [tickets, escalations]))
  const column = (className: string, x: number, count: number) => (
    <rect
      className={className}
      x={x}
      width="1.2"
      y={100 - (100 * count) / max}
      height={(100 * count) / max}
    />
  )
  return (
    <figure className="chart">
      <svg aria-hidden="true" viewBox={`0 0 ${series.length * 3} 100`} preserveAspectRatio="none">
        {series.map(({ start, tickets, escalations }, index) => (
          <g key={start}>
            <title>{`${start}: ${tickets} tickets, ${escalations} escalations`}</title>
            {column('series-tickets', index * 3, tickets)}
            {column('series-escalations', index * 3 + 1.3, escalations)}
          </g>
        ))}
      </svg>
      <figcaption>
        <b className="series-tickets">Tickets reported</b> and{' '}
        <b className="series-escalations">escalations</b>, at most {max}
      </figcaption>
    </figure>
  )
}

const TIME_COLUMNS: Column<{ timeSpentHours: string; assignments: number }>[] = [
  { name: 'Hours', value: (row) => row.timeSpentHours, hasBar: true },
  { name: 'Assignments', value: (row) => row.assignments },
]

const describe = ({ counted, leftOut, meanSeconds, p95Seconds }: DurationSummaryFragment) =>
  `median of ${counted}; mean ${formatDuration(meanSeconds)}, 95 % within ${formatDuration(p95Seconds)}` +
  (leftOut > 0 ? `; ${leftOut} old records excluded` : '')

const Figure = ({ name, value, children }: { name: string; value: Cell; children?: ReactNode }) => (
  <div className="card">
    <dt>{name}</dt>
    <dd>
      <strong>{value}</strong>
      {children && <small className="below">{children}</small>}
    </dd>
  </div>
)
