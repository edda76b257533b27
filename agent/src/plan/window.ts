// Whether an update may happen at this hour of the week. Pure; the time zone comes in like everything else.
//
// The wall clock decides. Where it is put forward, the minutes that are left out are in no window, and a window that is all among
// them does not open in that week; where it is put back, a window is open as often as its minutes come.
import { DAY_MINUTES, DAYS, type Window } from '../settings/window.ts'
import type { Moment, Rule } from './facts.ts'
import { MINUTE_MS } from './times.ts'

const WEEK_MINUTES = 7 * DAY_MINUTES
/** Clocks are changed at whole quarters of an hour only: between two of them the wall clock goes evenly. */
const QUARTER_MS = 15 * MINUTE_MS
/** Every window opens within a week, or, if the clock is changed over it, within two. */
const HORIZON_MS = 15 * DAY_MINUTES * MINUTE_MS

export const inWindow: Rule<Moment> = ({ product: { windows }, machine }) => {
  if (windows.length === 0) return undefined
  const { now, timeZone } = machine
  const wallClock = wallClockOf(timeZone)
  const wanted = windows.map(({ text }) => text).join(', ')
  const here = `it is ${wallText(wallClock(now.getTime()))} in ${timeZone}`
  const opens = nextOpening(windows, now, wallClock)
  if (opens === undefined) return { passed: false, detail: `${here}, and ${wanted} never opens` }
  if (opens <= now) return { passed: true, detail: `${here}, inside of ${wanted}` }
  const then = wallText(wallClock(opens.getTime()))
  return { passed: false, detail: `${here}, outside of ${wanted}; it opens on ${then}`, recheckAt: opens }
}

/** Whether one of the windows is open at the moment. */
export const isOpenAt = (windows: readonly Window[], now: Date, timeZone: string): boolean =>
  windows.length > 0 && minutesUntilOpen(windows, wallClockOf(timeZone)(now.getTime())) === 0

/** The first moment from `now` on that is inside of a window: `now` itself if it is. */
const nextOpening = (windows: readonly Window[], now: Date, wallClock: WallClock): Date | undefined => {
  const end = now.getTime() + HORIZON_MS
  for (let at = now.getTime(); at < end; ) {
    const waitMinutes = minutesUntilOpen(windows, wallClock(at))
    if (waitMinutes === 0) return new Date(at)
    const nextQuarter = (Math.floor(at / QUARTER_MS) + 1) * QUARTER_MS
    at = Math.min(nextQuarter, (Math.floor(at / MINUTE_MS) + waitMinutes) * MINUTE_MS)
  }
  return undefined
}

/** As the wall clock goes if nobody changes it; 0 inside of a window. */
const minutesUntilOpen = (windows: readonly Window[], minuteOfWeek: number): number =>
  Math.min(
    ...windows.flatMap(({ days, fromMinute, lengthMinutes }) =>
      days.map((day) => {
        const sinceOpening = modulo(minuteOfWeek - (day * DAY_MINUTES + fromMinute), WEEK_MINUTES)
        return sinceOpening < lengthMinutes ? 0 : WEEK_MINUTES - sinceOpening
      }),
    ),
  )

const modulo = (number: number, by: number): number => ((number % by) + by) % by

/** Minutes since the beginning of Monday that a clock on the wall shows at a moment. */
type WallClock = (timeMs: number) => number

const wallClockOf = (timeZone: string): WallClock => {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  return (timeMs) => {
    const parts = new Map(format.formatToParts(timeMs).map(({ type, value }) => [type, value]))
    const day = DAYS.indexOf(parts.get('weekday')?.toLowerCase() ?? '')
    return day * DAY_MINUTES + Number(parts.get('hour')) * 60 + Number(parts.get('minute'))
  }
}

const wallText = (minuteOfWeek: number): string => {
  const minutes = minuteOfWeek % DAY_MINUTES
  const two = (number: number) => String(number).padStart(2, '0')
  return `${DAYS[Math.floor(minuteOfWeek / DAY_MINUTES)]} ${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
