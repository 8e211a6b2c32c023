/** Tables as files that spreadsheets open. */

export type Cell = string | number | null

// A spreadsheet takes what begins with one of these for a formula, and runs it.
const FORMULA = /^[=+\-@\t\r]/

function quoted(cell: Cell): string {
  const text = String(cell ?? '')
  const harmless = typeof cell === 'string' && FORMULA.test(text) ? `'${text}` : text
  return `"${harmless.replaceAll('"', '""')}"`
}

/** RFC 4180, with the mark by which Excel knows UTF-8. */
export const csv = (rows: Cell[][]) =>
  `\uFEFF${rows.map((row) => `${row.map(quoted).join(',')}\r\n`).join('')}`

export function download(name: string, text: string) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }))
  link.download = name
  link.click()
  // Once the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
