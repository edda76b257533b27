// Kind `file`: one file of the release is found at a place that the owner names, as a link into the installed version. It
// is swapped by one rename, keeps its mode, and programs that run keep the file that they have. What somebody else has put
// there is never overwritten, unless the owner has named it by its digest; then it is kept beside, and comes back if nothing
// of the product is left.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, link, lstat, readFile, readlink, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve, sep } from 'node:path'
import { fromFileSystem, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { replaceLink, syncDirectory } from '@updraft/core/files/atomic'
import type { Activator, ActivatorContext } from '../activation.ts'
import type { InstallKind } from '../settings/install-kind.ts'
import { fileOf } from './file-of-release.ts'

type FileInstall = Extract<InstallKind, { kind: 'file' }>

export const fileActivator = (
  { path, from, replaces }: FileInstall,
  { product, productsDirectory }: ActivatorContext,
): Activator => {
  const folder = dirname(path)
  const aside = `${path}${ASIDE}`
  const isOurs = (target: string) => target.startsWith(resolve(productsDirectory, product, 'versions') + sep)

  /** Throws if what stands at the place is not to be replaced; answers whether it has to be kept beside first. */
  const assertFree = async (): Promise<'free' | 'keep'> => {
    const standing = await standingAt(path)
    if (standing.kind === 'nothing' || (standing.kind === 'link' && isOurs(standing.target))) return 'free'
    if (standing.kind === 'other') throw taken(path, 'is no file')
    const digest = await digestOf(path, standing)
    if (digest !== replaces) throw taken(path, 'was not put there by this agent', digest)
    if (!(await isFreeFor(aside, path))) throw taken(aside, 'is there already, so what is replaced cannot be kept')
    return 'keep'
  }

  const put = async (version: Parameters<Activator['activate']>[0]): Promise<void> => {
    const source = await fileOf(version, from, product)
    if ((await assertFree()) === 'keep') await keepAside(path, aside)
    await replaceLink(path, source)
  }

  return {
    assertFits: async (version) => {
      await fileOf(version, from, product)
      await assertWritable(folder)
      await assertFree()
    },
    activate: put,
    leave: async (_left, back) => {
      if (back !== undefined) return put(back)
      const standing = await standingAt(path)
      if (standing.kind !== 'link' || !isOurs(standing.target)) return // Not ours, or gone already.
      try {
        if ((await standingAt(aside)).kind === 'nothing') await rm(path)
        else await rename(aside, path)
        await syncDirectory(folder)
      } catch (error) {
        throw fromFileSystem(error, `cannot take ${path} away`)
      }
    },
    faultOf: async (version) => {
      const source = await fileOf(version, from, product)
      const standing = await standingAt(path)
      if (standing.kind === 'nothing') return `${path} is not there`
      if (standing.kind !== 'link') return `${path} is not the link that the agent has put there`
      return standing.target === source ? undefined : `${path} leads to ${standing.target}, not to ${source}`
    },
  }
}

/** What was replaced is kept under this name, beside the place. */
const ASIDE = '.before-updraft'

/**
 * Names what stands at a place, so that its owner can say that this very file may be replaced: SHA-256 of its content, of a
 * link that of where it leads. Undefined if nothing is there. Errors: PLACE_TAKEN if it is no file; PERMISSION, IO.
 */
export const digestAt = async (path: string): Promise<string | undefined> => {
  const standing = await standingAt(path)
  if (standing.kind === 'nothing') return undefined
  if (standing.kind === 'other') throw taken(path, 'is no file')
  return digestOf(path, standing)
}

type Standing =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'file' }
  | { readonly kind: 'other' }

const standingAt = async (path: string): Promise<Standing> => {
  try {
    const stats = await lstat(path)
    if (stats.isSymbolicLink()) return { kind: 'link', target: await readlink(path) }
    return { kind: stats.isFile() ? 'file' : 'other' }
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return { kind: 'nothing' }
    throw fromFileSystem(error, `cannot look at ${path}`)
  }
}

const digestOf = async (path: string, standing: Standing): Promise<string> => {
  try {
    const content = standing.kind === 'link' ? standing.target : await readFile(path)
    return createHash('sha256').update(content).digest('hex')
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${path}`)
  }
}

const taken = (path: string, why: string, digest?: string): UpdateError =>
  new UpdateError('PLACE_TAKEN', `${path} ${why}`, {
    hint:
      digest === undefined
        ? 'move it away, or name another place'
        : `move it away, name another place, or have it replaced: updraft-agent install PRODUCT --replace, which is "replaces": "${digest}"`,
  })

/** A second name of the same file is what a kill after the first step has left. */
const isFreeFor = async (aside: string, path: string): Promise<boolean> => {
  try {
    const [one, other] = await Promise.all([lstat(aside), lstat(path)])
    return one.ino === other.ino && one.dev === other.dev
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return true
    throw fromFileSystem(error, `cannot look at ${aside}`)
  }
}

const keepAside = async (path: string, aside: string): Promise<void> => {
  try {
    await link(path, aside)
    await syncDirectory(dirname(path))
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw fromFileSystem(error, `cannot keep ${path} as ${aside}`)
  }
}

const assertWritable = async (folder: string): Promise<void> => {
  try {
    if (!(await stat(folder)).isDirectory()) throw new UpdateError('KIND_UNFIT', `${folder} is not a folder`)
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') {
      throw new UpdateError('KIND_UNFIT', `there is no folder ${folder} to put the file into`, {
        cause: error,
        hint: 'make it, or name another place in agent.json',
      })
    }
    throw fromFileSystem(error, `the agent needs to write in ${folder}`)
  }
}
