// A mark of all that is in a build, so that two looks tell whether anybody wrote to it in between. Reads no content.
import { createHash } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCodeOf } from '@updraft/core/errors'

/** Another one whenever a file was added, removed, replaced or written to; undefined if there is nothing at `path`. */
export const treeState = async (path: string): Promise<string | undefined> => {
  const digest = createHash('sha256')
  const note = async (at: string): Promise<void> => {
    const { ino, size, mtimeMs, mode } = await lstat(at)
    digest.update(`${at}\0${ino} ${size} ${mtimeMs} ${mode}\n`)
  }
  try {
    await note(path)
    const entries = await readdir(path, { recursive: true }).catch((error: unknown) => {
      if (systemCodeOf(error) === 'ENOTDIR') return []
      throw error
    })
    for (const entry of entries.sort()) await note(join(path, entry))
    return digest.digest('hex')
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined // It is being written or taken away: the next look tells.
    throw error
  }
}
