// A small file in the repository, never served, that an origin leaves to its next run. Losing it, or finding nonsense in it, only
// costs what it says; a repository that cannot be written to is served all the same.
import { join } from 'node:path'
import { messageOf } from '@updraft/core/errors'
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import type * as z from 'zod'
import type { Log } from './log.ts'

export interface Remembered<T> {
  /** Undefined if there is nothing, or nothing sensible. */
  read(repository: string, log: Log): Promise<T | undefined>
  write(repository: string, content: T, log: Log): Promise<void>
}

export interface RememberedOptions<T> {
  readonly name: string
  /** For the log, such as `the peers`. */
  readonly what: string
  readonly schema: z.ZodType<T>
  readonly bytesMax: number
}

export const rememberedFile = <T>({ name, what, schema, bytesMax }: RememberedOptions<T>): Remembered<T> => ({
  read: async (repository, log) => {
    try {
      const bytes = await readFileIfThere(join(repository, name), bytesMax)
      return bytes === undefined ? undefined : schema.parse(JSON.parse(bytes.toString('utf8')))
    } catch (error) {
      log.warn({ err: error }, `${what} of the last run are not known: ${messageOf(error)}`)
      return undefined
    }
  },
  write: async (repository, content, log) => {
    try {
      await writeFileAtomic(join(repository, name), JSON.stringify(content), { mode: 0o600 })
    } catch (error) {
      log.warn({ err: error }, `${what} of this run are not kept: ${messageOf(error)}`)
    }
  },
})
