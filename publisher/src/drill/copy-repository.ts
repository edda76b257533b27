// A copy of a repository to rehearse on. Files are linked where that is possible: nothing here ever writes into one that is there.
import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem } from '@updraft/core/errors'
import { makeDirectory } from '@updraft/core/files/atomic'
import { tryLink } from '@updraft/core/files/whole'
import { layoutOf } from '../repository/layout.ts'
import { assertNothingAt } from '../repository.ts'
import { SETTINGS_FILE } from '../repository-settings.ts'

/** Errors: REPOSITORY_EXISTS if there is something at `to`; DISK_FULL, PERMISSION, IO. */
export const copyRepository = async (from: string, to: string): Promise<void> => {
  await assertNothingAt(to)
  await makeDirectory(to)
  try {
    await copyFile(join(from, SETTINGS_FILE), join(to, SETTINGS_FILE))
    const [source, target] = [layoutOf(from), layoutOf(to)]
    await copyFolder(source.metadata, target.metadata)
    await copyFolder(source.targets, target.targets)
    await copyFolder(source.bundles, target.bundles)
  } catch (error) {
    throw fromFileSystem(error, `cannot copy ${from} to ${to}`)
  }
}

const copyFolder = async (from: string, to: string): Promise<void> => {
  await mkdir(to, { recursive: true })
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) await copyFolder(source, target)
    else if (entry.isFile() && !(await tryLink(source, target))) await copyFile(source, target)
  }
}
