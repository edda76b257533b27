// Times and spans as the details of rules say them. Pure.
export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS

/** When to look again at something that changes without a plan, such as the load. */
export const soon = (now: Date): Date => new Date(now.getTime() + 5 * MINUTE_MS)

/** `2026-01-10 12:00 UTC`: to the minute, which is as exact as a plan is kept. */
export const minuteText = (time: Date): string => `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** `0 h`, `47 h`, `3 days`: whole ones that are over. */
export const ageText = (spanMs: number): string =>
  spanMs < 72 * HOUR_MS ? `${Math.floor(spanMs / HOUR_MS)} h` : `${Math.floor(spanMs / (24 * HOUR_MS))} days`
