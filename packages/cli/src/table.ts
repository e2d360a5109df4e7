/** Tables of text, and times as people read them. */
import type { Paint, Style } from './colour.js'

export type Cell = string | number | undefined | { readonly text: string; readonly style: Style }

const textOf = (cell: Cell): string => String((typeof cell === 'object' ? cell.text : cell) ?? '–')

/** Columns as wide as their widest cell; numbers to the right. The last cell of a row that is too short goes over the rest of its line. */
export const table = (
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  paint: Paint = (_, text) => text,
): string => {
  const text = [head, ...rows].map((row) => row.map(textOf))
  const painted = (text: string, row: number, column: number): string => {
    const cell = rows[row - 1]?.[column]
    return row === 0 ? paint('bold', text) : typeof cell === 'object' ? paint(cell.style, text) : text
  }
  const goesOver = (row: readonly string[], column: number) => row.length < head.length && column === row.length - 1
  const widths = head.map((_, column) =>
    Math.max(...text.map((row) => (goesOver(row, column) ? 0 : (row[column]?.length ?? 0)))),
  )
  const isNumeric = head.map((_, column) => rows.some((row) => typeof row[column] === 'number'))
  return text
    .map((row, index) =>
      row
        .map((cell, column) => {
          if (goesOver(row, column)) return painted(cell, index, column)
          const space = ' '.repeat(widths[column]! - cell.length)
          const shown = painted(cell, index, column)
          return isNumeric[column] ? `${space}${shown}` : `${shown}${space}`
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** `1.2 s`, `350 ms`, `3 h` */
export const time = (ms: number | undefined): string | undefined => {
  if (ms === undefined) return undefined
  const abs = Math.abs(ms)
  if (abs < 10) return `${ms.toFixed(1)} ms`
  if (abs < 1_000) return `${Math.round(ms)} ms`
  if (abs < 120_000) return `${(ms / 1_000).toFixed(1)} s`
  if (abs < 7_200_000) return `${Math.round(ms / 60_000)} min`
  return `${Math.round(ms / 3_600_000)} h`
}
