// How tables, counts and times look to a person at a terminal. Pure; knows nothing of updates.

export const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`

/** Columns as wide as their widest cell. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The time between `at` and `now`, in its largest unit: `45 s`, `12 min`, `3 h`, `6 days`. */
export const span = (at: string, now: Date): string => {
  const seconds = Math.abs(now.getTime() - Date.parse(at)) / 1_000
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 48 * 3_600) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 86_400)} days`
}

/** `in 12 min`, or `now` for what is due. */
export const spanUntil = (at: string, now: Date): string =>
  Date.parse(at) <= now.getTime() ? 'now' : `in ${span(at, now)}`

/** `2026-01-10 12:00:00`, in UTC like everything that the agent records. */
export const timeText = (at: string): string => at.replace('T', ' ').replace(/(\.\d+)?Z$/, '')
