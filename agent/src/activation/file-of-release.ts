// Which one file of a release is meant: the one that the owner names, or the only one that it has.
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fromFileSystem, systemCodeOf, UpdateError } from '@updraft/core/errors'
import type { Product } from '@updraft/core/names'
import type { VersionInPlace } from '../activation.ts'

/** Its absolute path, whatever the agent's home was given as. Without a name, only files that end in `suffix` count. Errors: KIND_UNFIT, PERMISSION, IO. */
export const fileOf = async (
  { version, treePath }: VersionInPlace,
  from: string | undefined,
  product: Product,
  suffix = '',
): Promise<string> => {
  const path = resolve(treePath, from ?? (await onlyFileIn(treePath, suffix, `${product} ${version}`)))
  if (await isFile(path)) return path
  throw unfit(`${product} ${version} has no file ${from}`)
}

const onlyFileIn = async (treePath: string, suffix: string, release: string): Promise<string> => {
  try {
    const entries = await readdir(treePath, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => !entry.isDirectory() && entry.name.endsWith(suffix))
    const [first] = files
    if (first !== undefined && files.length === 1) return join(first.parentPath, first.name).slice(treePath.length + 1)
    throw unfit(`${release} has ${files.length} files${suffix === '' ? '' : ` *${suffix}`}, and it takes one`)
  } catch (error) {
    throw fromFileSystem(error, `cannot look at ${treePath}`)
  }
}

const unfit = (message: string): UpdateError =>
  new UpdateError('KIND_UNFIT', message, { hint: 'name the file in agent.json, as "from" of "install"' })

const isFile = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return false
    throw fromFileSystem(error, `cannot look at ${path}`)
  }
}
