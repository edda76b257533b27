// What the commands that only look have in common: the status of the running agent, or of its store if none runs.

import { controlAddressOf, namesAddress } from '@updraft/core/control/address'
import type { Status } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { homeOf } from '@updraft/core/control/home'
import { hasCode } from '@updraft/core/errors'
import { readOfflineStatus } from '../offline-status.ts'
import type { StatusView } from '../status-text.ts'
import type { Context } from './context.ts'

export const readView = async (context: Context): Promise<StatusView> => {
  const { environment, parts, signal } = context
  const client = controlClient(controlAddressOf(environment))
  const running = await unlessNotRunning<Status>(client.status({ signal }), context)
  return running ?? { ...(await readOfflineStatus(homeOf(environment), parts)), agent: null }
}

/** Undefined if no agent runs and none was named; every other failure stays one. */
export const unlessNotRunning = async <T>(
  answer: Promise<T>,
  { environment }: Pick<Context, 'environment'>,
): Promise<T | undefined> => {
  try {
    return await answer
  } catch (error) {
    if (hasCode(error, 'AGENT_NOT_RUNNING') && !namesAddress(environment)) return undefined
    throw error
  }
}
