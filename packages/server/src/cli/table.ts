type Cell = string | number | undefined

/** Columns as wide as their widest cell; numbers to the right. */
export const table = (head: readonly string[], rows: readonly (readonly Cell[])[]): string => {
  const text = [head, ...rows].map((row) => row.map((cell) => String(cell ?? '–')))
  const widths = head.map((_, column) => Math.max(...text.map((row) => row[column]!.length)))
  const isNumeric = head.map((_, column) => rows.some((row) => typeof row[column] === 'number'))
  return text
    .map((row) =>
      row
        .map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
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
