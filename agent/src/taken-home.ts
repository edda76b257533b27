// The folders of an agent: made, writable, and its own for as long as it runs.
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import type { Home } from '@updraft/core/control/home'
import { fromFileSystem, hasCode, UpdateError } from '@updraft/core/errors'
import { makeDirectory } from '@updraft/core/files/atomic'
import { type Lock, takeLock } from '@updraft/core/files/lock'

/** Errors: PERMISSION if the agent could not write there later; DISK_FULL, IO. */
export const prepareHome = async ({ configDirectory, stateDirectory, dataDirectory }: Home): Promise<void> => {
  for (const [directory, mode] of [
    [configDirectory, 0o755],
    [dataDirectory, 0o755], // Before the state, which may lie in it: what is installed is for others to run.
    [stateDirectory, 0o700],
  ] as const) {
    await makeDirectory(directory, mode)
    try {
      await access(directory, constants.R_OK | constants.W_OK | constants.X_OK)
    } catch (error) {
      throw fromFileSystem(error, `the agent needs to write in ${directory}`)
    }
  }
}

/** Errors: AGENT_RUNNING, IO. */
export const takeHome = ({ stateDirectory, dataDirectory }: Home): Lock => {
  try {
    return takeLock(stateDirectory, 'agent.lock')
  } catch (error) {
    if (!hasCode(error, 'LOCKED')) throw error
    throw new UpdateError('AGENT_RUNNING', `an agent is already running on ${dataDirectory}`, {
      cause: error,
      hint: 'look at it with: updraft-agent status; or set UPDRAFT_HOME to give this one a home of its own',
    })
  }
}
