// What the tests of the origin share.
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import type { Log } from '../../publisher/src/origin/log.ts'

export const silentLog: Log = pino({ level: 'silent' })

/** Asks again until there is an answer, for at most `timeoutMs`: for what can only be seen by looking. */
export const until = async <T>(ask: () => T | undefined | Promise<T | undefined>, timeoutMs = 8_000): Promise<T> => {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await delay(25)) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(`nothing happened within ${timeoutMs} ms`)
}

export const untilTrue = (holds: () => boolean | Promise<boolean>, timeoutMs?: number): Promise<true> =>
  until(async () => ((await holds()) ? true : undefined), timeoutMs)
