/** CSV files for spreadsheets. */

export type Cell = string | number | null

// A spreadsheet runs a cell as a formula if it starts with = + - @ or a full-width form of these. It may split after
// any of the characters in the first group, even inside quotes, and drop white space and quotes after it.
const UNSAFE_CELL = /(?<=^|[,;\t\n]|\r(?!\n))(?=[\s"]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|[\t\r])/g

function quote(cell: Cell): string {
  const escaped = typeof cell === 'string' ? cell.replace(UNSAFE_CELL, "'") : String(cell ?? '')
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
