// Root's commands on a machine whose agent runs as a user of its own: they act as that user. So what they write is the
// service's to read, and root never follows a path through folders that somebody else may change. Does nothing elsewhere.
import { statSync } from 'node:fs'
import { homeOf } from '@updraft/core/control/home'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

export interface Caller {
  readonly uid: number | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The first word of the command line. */
  readonly command: string | undefined
}

/** The user that this call should act as; undefined for the one that it has. `ownerOf` is asked of the system's place. */
export const userToActAs = (
  { uid, environment, command }: Caller,
  ownerOf: (directory: string) => Owner | undefined,
): Owner | undefined => {
  const hasOwnHome = environment.UPDRAFT_HOME !== undefined && environment.UPDRAFT_HOME !== ''
  if (uid !== 0 || hasOwnHome || command === 'service') return undefined
  const owner = ownerOf(homeOf({}, 0).dataDirectory)
  return owner === undefined || owner.uid === 0 ? undefined : owner
}

/** Changes this process and its environment, for good. */
export const actAsServiceUser = (command: string | undefined): void => {
  const owner = userToActAs({ uid: process.getuid?.(), environment: process.env, command }, ownerOf)
  if (owner === undefined) return
  process.setgroups?.([owner.gid])
  process.setgid?.(owner.gid)
  process.setuid?.(owner.uid)
  process.env.UPDRAFT_SYSTEM = '1'
}

const ownerOf = (directory: string): Owner | undefined => statSync(directory, { throwIfNoEntry: false })
