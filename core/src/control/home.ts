// Where an agent's folders and its control socket are. Both ends compute them from the environment in the same way.
import { homedir, userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'

/** The folders of one agent. Nothing in them is shared between two agents. */
export interface Home {
  /** `agent.json`, written by people. */
  readonly configDirectory: string
  /** Pinned roots, the database, the metadata cache: what cannot be fetched again, and what remembers versions. */
  readonly stateDirectory: string
  /** Installed products, bundles that are seeded, and `staging/`. */
  readonly dataDirectory: string
  readonly socketPath: string
}

export interface Environment {
  readonly [name: string]: string | undefined
}

/**
 * `UPDRAFT_HOME` puts everything under one folder; otherwise root uses the system's places, as does whoever sets
 * `UPDRAFT_SYSTEM` (the service, which is not root, and those who may ask it), and everyone else the XDG ones.
 *
 * Errors: USAGE if the socket's path would be longer than the operating system allows.
 * Source: XDG Base Directory Specification 0.8; Filesystem Hierarchy Standard 3.0.
 */
export const homeOf = (environment: Environment, uid = userInfo().uid): Home => {
  const home = foldersOf(environment, uid)
  if (Buffer.byteLength(home.socketPath) > LIMITS.socketPathBytes) {
    throw new UpdateError(
      'USAGE',
      `the control socket's path has more than ${LIMITS.socketPathBytes} bytes: ${home.socketPath}`,
      { hint: 'set UPDRAFT_HOME to a shorter path' },
    )
  }
  return home
}

const foldersOf = (environment: Environment, uid: number): Home => {
  const root = environment.UPDRAFT_HOME
  if (isSet(root)) {
    return {
      configDirectory: root,
      stateDirectory: join(root, 'state'),
      dataDirectory: root,
      socketPath: join(root, 'agent.sock'),
    }
  }
  if (uid === 0 || isSet(environment.UPDRAFT_SYSTEM)) {
    return {
      configDirectory: '/etc/updraft',
      stateDirectory: '/var/lib/updraft/state',
      dataDirectory: '/var/lib/updraft',
      socketPath: '/run/updraft/agent.sock',
    }
  }
  // XDG, "All paths must be absolute": a relative one would make the folder that somebody happens to be in an agent's home.
  const folder = (name: string): string | undefined => {
    const path = environment[name]
    return path !== undefined && isAbsolute(path) ? path : undefined
  }
  const user = folder('HOME') ?? homedir()
  const stateDirectory = join(folder('XDG_STATE_HOME') ?? join(user, '.local/state'), 'updraft')
  return {
    configDirectory: join(folder('XDG_CONFIG_HOME') ?? join(user, '.config'), 'updraft'),
    stateDirectory,
    dataDirectory: join(folder('XDG_DATA_HOME') ?? join(user, '.local/share'), 'updraft'),
    socketPath: join(folder('XDG_RUNTIME_DIR') ?? stateDirectory, 'updraft-agent.sock'),
  }
}

const isSet = (value: string | undefined): value is string => value !== undefined && value !== ''
