// A stretch of the week in which updates may happen, as it is written in agent.json. Grammar only; whether it is open now is
// for the plan.
import { UpdateError } from '@updraft/core/errors'

/** On the wall clock of the machine. */
export interface Window {
  /** Days on which it opens, Monday is 0. */
  readonly days: readonly number[]
  /** Minutes after midnight. */
  readonly fromMinute: number
  readonly lengthMinutes: number
  /** `mon-fri 22:00-06:00`, for people. */
  readonly text: string
}

export const DAY_MINUTES = 24 * 60
export const DAYS: readonly string[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** `mon-fri`, `sat,sun`, `fri-mon`: as numbers in the order of the week. Errors: SETTINGS_INVALID. */
export const parseDays = (text: string): readonly number[] => {
  const days = new Set<number>()
  for (const part of text.toLowerCase().split(',')) {
    const [first = '', last = first, ...others] = part.trim().split('-').map(dayOf)
    if (first === '' || last === '' || others.length > 0) {
      throw new UpdateError('SETTINGS_INVALID', `days ${JSON.stringify(text)} are not days of the week`, {
        hint: 'use mon, mon-fri, or sat,sun',
      })
    }
    for (let day = first; ; day = (day + 1) % DAYS.length) {
      days.add(day)
      if (day === last) break
    }
  }
  return [...days].sort((a, b) => a - b)
}

/** Minutes after midnight, of `00:00` to `24:00`. Errors: SETTINGS_INVALID. */
export const parseTimeOfDay = (text: string): number => {
  const [, hours, minutes] = /^(\d{2}):([0-5]\d)$/.exec(text) ?? []
  const minute = Number(hours) * 60 + Number(minutes)
  if (!(minute <= DAY_MINUTES)) {
    throw new UpdateError('SETTINGS_INVALID', `time ${JSON.stringify(text)} is not a time of day`, {
      hint: 'use 00:00 to 24:00, such as 22:30',
    })
  }
  return minute
}

export interface WrittenWindow {
  readonly days: string
  readonly from: string
  readonly to: string
}

/** One that ends before it begins goes over midnight. Errors: SETTINGS_INVALID. */
export const parseWindow = ({ days, from, to }: WrittenWindow): Window => {
  const fromMinute = parseTimeOfDay(from) % DAY_MINUTES
  const toMinute = parseTimeOfDay(to)
  if (fromMinute === toMinute) {
    throw new UpdateError('SETTINGS_INVALID', `the window ${from} to ${to} has no length`, {
      hint: 'a whole day is 00:00 to 24:00',
    })
  }
  const lengthMinutes = toMinute > fromMinute ? toMinute - fromMinute : toMinute + DAY_MINUTES - fromMinute
  return { days: parseDays(days), fromMinute, lengthMinutes, text: `${days} ${from}-${to}` }
}

const dayOf = (text: string): number | '' => {
  const day = DAYS.indexOf(text)
  return day === -1 ? '' : day
}
