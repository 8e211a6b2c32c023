import { type ReactNode, useId } from 'react'
import { type Cell, download, toCsv } from './csv'

export interface Column<Row> {
  name: string
  /** The value in the CSV file. */
  value: (row: Row) => Cell
  /** Formats a value in seconds for the page. */
  format?: (seconds: string | null) => string
  /** Whether to show a bar beside the number. */
  hasBar?: boolean
}

/** A table with its chart, which can be saved as a CSV file. */
export function Table<Row>({
  title,
  period,
  rows,
  total = rows.length,
  columns,
  chart,
}: {
  title: string
  chart?: ReactNode
  /** Part of the file's name. */
  period: string
  rows: Row[]
  total?: number
  columns: Column<Row>[]
}) {
  const id = useId()
  const save = () =>
    download(
      `${title}, ${period}.csv`,
      toCsv([
        columns.map(({ name, format }) => (format ? `${name}, seconds` : name)),
        ...rows.map((row) => columns.map(({ value }) => value(row))),
      ]),
    )
  return (
    <section className="card" aria-labelledby={id}>
      <div className="card-head">
        <h2 id={id}>{title}</h2>
        <span>
          {total > rows.length && (
            <small>
              first {rows.length} of {total}{' '}
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
        <p className="muted none">No data in this period.</p>
      ) : (
        <>
          {chart}
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keyboard users must be able to scroll */}
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
                {rows.map((row, index) => (
                  <tr key={index}>
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
  column: { value, format, hasBar },
  row,
  rows,
}: {
  column: Column<Row>
  row: Row
  rows: Row[]
}) {
  const cell = value(row)
  const text = format ? format(cell === null ? null : String(cell)) : cell
  if (!hasBar) return <td>{text}</td>
  const max = Math.max(...rows.map((other) => Number(value(other))))
  return (
    <td className="with-bar">
      {text}
      {/* Hidden: the number is beside it. */}
      <svg aria-hidden="true" viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect width={max > 0 ? (100 * Number(cell)) / max : 0} height="1" />
      </svg>
    </td>
  )
}
