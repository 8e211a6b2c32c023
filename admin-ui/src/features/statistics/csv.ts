/** CSV files for spreadsheets. */

export type Cell = string | number | null

// A spreadsheet runs text that starts with one of these as a formula.
const FORMULA = /^[=+\-@\t\r]/

function quote(cell: Cell): string {
  const text = String(cell ?? '')
  const escaped = typeof cell === 'string' && FORMULA.test(text) ? `'${text}` : text
  return `"${escaped.replaceAll('"', '""')}"`
}

/** RFC 4180, with the byte order mark by which Excel recognizes UTF-8. */
export const toCsv = (rows: Cell[][]) =>
  `\uFEFF${rows.map((row) => `${row.map(quote).join(',')}\r\n`).join('')}`

export function download(name: string, text: string) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }))
  link.download = name
  link.click()
  // Not at once: the browser must read it first.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
