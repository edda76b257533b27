// Where an agent may listen. Only the person, the environment and the operating system have a say in it, never a workspace.
import { isAbsolute, join } from 'node:path'
import { type Environment, homeOf } from '@updraft/core/control/home'
import { UpdateError } from '@updraft/core/errors'

/**
 * Sockets to try, in this order: the one of the setting alone; else the one of `UPDRAFT_HOME` alone; else the agent of
 * this user and then the agent of the machine.
 *
 * Errors: USAGE if the setting is not an absolute path, or a path is longer than the operating system allows.
 */
export const socketsToTry = (setting: string, environment: Environment, uid?: number): readonly string[] => {
  if (setting !== '') {
    if (isAbsolute(setting)) return [setting]
    throw new UpdateError('USAGE', `the setting updraft.socketPath is not an absolute path: ${setting}`)
  }
  const own = homeOf(environment, uid).socketPath
  if (environment.UPDRAFT_HOME !== undefined && environment.UPDRAFT_HOME !== '') return [own]
  return [...new Set([own, homeOf({}, 0).socketPath])]
}

/** What is known of an agent by where it listens. */
export interface AgentPlace {
  /** Its `agent.json`. */
  readonly settingsFile: string
  /** This user may run its commands, since its home is the one that they mean without being told. */
  readonly isOwn: boolean
}

/** Undefined for a socket that only the setting knows: nobody says which home it belongs to. */
export const placeOf = (socketPath: string, environment: Environment, uid?: number): AgentPlace | undefined => {
  const own = homeOf(environment, uid)
  const machine = homeOf({}, 0)
  const home = [own, machine].find((candidate) => candidate.socketPath === socketPath)
  return home && { settingsFile: join(home.configDirectory, 'agent.json'), isOwn: home.socketPath === own.socketPath }
}
