// What the tests of the origin share.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseProduct } from '@updraft/core/names'
import { pino } from 'pino'
import { initRepository } from '../../publisher/src/init.ts'
import { fileKeys } from '../../publisher/src/keys/key-file.ts'
import { type Log, openLog } from '../../publisher/src/origin/log.ts'
import type { Tracker } from '../../publisher/src/origin/tracker.ts'
import { parseRepositorySettings } from '../../publisher/src/repository-settings.ts'

export const silentLog: Log = pino({ level: 'silent' })

/** Asks again until there is an answer, for at most `timeoutMs`: for what can only be seen by looking. */
export const until = async <T>(ask: () => T | undefined | Promise<T | undefined>, timeoutMs = 50_000): Promise<T> => {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await delay(25)) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(`nothing happened within ${timeoutMs} ms`)
}

export const untilTrue = (holds: () => boolean | Promise<boolean>, timeoutMs?: number): Promise<true> =>
  until(async () => ((await holds()) ? true : undefined), timeoutMs)

export interface LogLine {
  readonly level: string
  readonly text: string
}

/** A log that can be read: the lines as an operator sees them. */
export const recordingLog = (): { readonly log: Log; readonly lines: readonly LogLine[] } => {
  const lines: LogLine[] = []
  const stream = {
    write: (line: string) => {
      const [, level = '', ...rest] = line.trimEnd().split(/ +/)
      lines.push({ level, text: rest.join(' ') })
    },
  }
  return { log: openLog({ json: false, debug: true, stream }), lines }
}

export const PRODUCT = parseProduct('acme')

/** A new repository in `folder` with the product `acme`, made at `now`. Without a passphrase unless one is given. */
export const makeRepository = async (folder: string, now: Date, passphrase?: string) => {
  const directory = join(folder, 'r')
  const keysDirectory = join(folder, 'r.keys')
  const settings = parseRepositorySettings({}, 'a test')
  const request = { directory, keysDirectory, products: [PRODUCT], settings, rootKeys: 1, rootThreshold: 1 }
  await initRepository(request, { passphrase, now })
  return { directory, keysDirectory, keys: fileKeys(keysDirectory, async () => passphrase) }
}

/** How many the tracker has for a torrent. */
export const countsOf = (tracker: Tracker, infoHash: string) => {
  const members = tracker.members().filter((peer) => peer.infoHash === infoHash)
  const seeders = members.filter(({ complete }) => complete).length
  return { seeders, leechers: members.length - seeders }
}
