// Sizes, shares and times as people of a given language write them. Times are absolute: a tree is not redrawn every
// minute, so "three minutes ago" would soon be wrong.
import { type Shown, show } from './text.ts'

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** `1.5 MB`: decimal units, as download sizes are usually given. */
export const formatBytes = (lengthBytes: number, language: string): Shown => {
  let value = lengthBytes
  let step = 0
  while (value >= 1000 && step < UNITS.length - 1) {
    value /= 1000
    step += 1
  }
  const format = new Intl.NumberFormat(language, {
    style: 'unit',
    unit: UNITS[step] ?? 'byte',
    unitDisplay: step === 0 ? 'long' : 'short',
    maximumFractionDigits: step < 2 || value >= 100 ? 0 : 1,
  })
  return show(format.format(value))
}

/** `42%`, rounded down, so that 100 % means all of it. */
export const formatShare = (share: number, language: string): Shown =>
  show(new Intl.NumberFormat(language, { style: 'percent' }).format(Math.floor(share * 100) / 100))

/** `3 Mar 2026, 14:05` in the machine's time zone; `?` for what is not a time. */
export const formatTime = (time: Date | undefined, language: string): Shown =>
  time === undefined
    ? show('?')
    : show(new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(time))
