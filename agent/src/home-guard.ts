// Who else could write in the agent's folders, or move them away: looks at every folder and link on the way to them. Whoever can do
// that decides what the agent trusts, so it does not start on such a home. Looks only; changes nothing.
import { lstat, readFile, readlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Home } from '@updraft/core/control/home'
import { systemCodeOf, UpdateError } from '@updraft/core/errors'

export interface HomeFault {
  readonly path: string
  /** What is wrong with it, as a clause without a full stop. */
  readonly what: string
  /** `error`: others may write there. `warning`: the members of a group may. */
  readonly level: 'error' | 'warning'
}

/** The faults of all three folders and of everything above them, each path once. Only where the system has users (POSIX). */
export const faultsOfHome = async (
  { configDirectory, stateDirectory, dataDirectory }: Home,
  uid: number,
): Promise<readonly HomeFault[]> => {
  if (process.platform === 'win32') return []
  const outsiders = await overflowUser()
  const faults = new Map<string, HomeFault>()
  const ends = new Set([configDirectory, stateDirectory, dataDirectory].map((path) => resolve(path)))
  for (const end of ends) {
    for (const step of await stepsTo(end)) {
      const fault = faultOf(step, { uid, outsiders, isOwn: ends.has(step.path) })
      if (fault !== undefined) faults.set(step.path, fault)
    }
  }
  return [...faults.values()]
}

/** Errors: HOME_UNSAFE with the first path that others may write to. */
export const assertHomeIsOwn = async (home: Home, uid: number): Promise<void> => {
  const fault = (await faultsOfHome(home, uid)).find(({ level }) => level === 'error')
  if (fault === undefined) return
  throw new UpdateError('HOME_UNSAFE', `${fault.path} ${fault.what}`, {
    hint: 'whoever writes there decides what this agent trusts: give it another home, or take their right away (chown, chmod go-w)',
  })
}

interface Step {
  readonly path: string
  readonly kind: 'folder' | 'link'
  readonly uid: number
  readonly mode: number
}

/** More links than any system follows. */
const LINKS_MAX = 40

/** Every folder and link that is passed on the way to `path`, as far as they exist, wherever links lead. */
const stepsTo = async (path: string): Promise<readonly Step[]> => {
  const steps: Step[] = []
  const todo = path.split('/').filter((part) => part !== '')
  let at = '/'
  let links = 0
  steps.push(await stepAt('/'))
  while (todo.length > 0) {
    const part = todo.shift() ?? ''
    if (part === '..') {
      at = dirname(at)
      continue
    }
    if (part === '.') continue
    const next = join(at, part)
    try {
      const step = await stepAt(next)
      steps.push(step)
      if (step.kind === 'folder') at = next
      else {
        links += 1
        if (links > LINKS_MAX) return steps
        const target = await readlink(next)
        todo.unshift(...target.split('/').filter((name) => name !== ''))
        if (target.startsWith('/')) at = '/'
      }
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCodeOf(error) ?? '')) return steps // The agent makes it, or says why not.
      throw error
    }
  }
  return steps
}

const stepAt = async (path: string): Promise<Step> => {
  const stats = await lstat(path)
  return { path, kind: stats.isSymbolicLink() ? 'link' : 'folder', uid: stats.uid, mode: stats.mode }
}

const STICKY = 0o1000

interface Judge {
  readonly uid: number
  readonly outsiders: number | undefined
  /** One of the agent's own folders, and not one above them. */
  readonly isOwn: boolean
}

const faultOf = ({ path, kind, uid: owner, mode }: Step, { uid, outsiders, isOwn }: Judge): HomeFault | undefined => {
  const error = (what: string): HomeFault => ({ path, what, level: 'error' })
  if (owner !== uid && owner !== 0 && (owner !== outsiders || isOwn)) return error(`belongs to the user ${owner}`)
  if (kind === 'link') return undefined // Its folder says who may replace it.
  // In a sticky folder nobody moves what belongs to others, such as the agent's folder in /tmp.
  const isShared = (mode & STICKY) !== 0 && !isOwn
  if ((mode & 0o002) !== 0 && !isShared) return error('may be written by everybody')
  return (mode & 0o020) !== 0 && !isShared && owner !== 0
    ? { path, what: 'may be written by the members of its group', level: 'warning' }
    : undefined
}

/** In a container without a user for it, what belongs to the system's root shows this owner. */
const overflowUser = async (): Promise<number | undefined> => {
  try {
    return Number(await readFile('/proc/sys/kernel/overflowuid', 'utf8'))
  } catch {
    return undefined // Not Linux.
  }
}
