// The settings of a running agent: the last ones that were valid, and how a change of the file is taken over. A file that
// cannot be understood changes nothing; it is reported once, and the old settings stay.
import { isDeepStrictEqual } from 'node:util'
import type { Problem } from '@updraft/core/control/api'
import { problemOf } from '@updraft/core/control/problem'
import { oneAtATime } from '../alone.ts'
import { readSettings, type Settings } from '../settings.ts'

export interface LiveSettings {
  current(): Settings
  /** Reads the file again and takes over what changed; resolves when that is done. */
  reload(): Promise<void>
}

export interface LiveSettingsOptions {
  readonly configDirectory: string
  readonly initial: Settings
  /** Acts on settings that differ from the last ones. What it throws is reported like a file that cannot be understood. */
  readonly apply: (settings: Settings) => Promise<void>
  /** The file was taken over, or refused for `problem`. Not called when nothing changed. */
  readonly onReload: (problem: Problem | undefined) => void
}

export const liveSettings = ({ configDirectory, initial, apply, onReload }: LiveSettingsOptions): LiveSettings => {
  const alone = oneAtATime()
  let current = initial
  let refused: Problem | undefined

  const reload = async (): Promise<void> => {
    try {
      const next = await readSettings(configDirectory)
      if (refused === undefined && isDeepStrictEqual(next, current)) return
      current = next
      await apply(next)
      refused = undefined
      onReload(undefined)
    } catch (error) {
      const problem = problemOf(error)
      if (isDeepStrictEqual(problem, refused)) return
      refused = problem
      onReload(problem)
    }
  }

  return { current: () => current, reload: () => alone('settings', reload) }
}
