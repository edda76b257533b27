// What the commands that only look have in common: the status of the running agent, or of its store if none runs.
import type { Status } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { homeOf } from '@updraft/core/control/home'
import { hasCode } from '@updraft/core/errors'
import { readOfflineStatus } from '../offline-status.ts'
import type { StatusView } from '../status-text.ts'
import type { Context } from './context.ts'

export const readView = async ({ environment, parts, signal }: Context): Promise<StatusView> => {
  const home = homeOf(environment)
  const running = await unlessNotRunning<Status>(controlClient(home.socketPath).status({ signal }))
  return running ?? { ...(await readOfflineStatus(home, parts)), agent: null }
}

/** Undefined if no agent runs; every other failure stays one. */
export const unlessNotRunning = async <T>(answer: Promise<T>): Promise<T | undefined> => {
  try {
    return await answer
  } catch (error) {
    if (hasCode(error, 'AGENT_NOT_RUNNING')) return undefined
    throw error
  }
}
