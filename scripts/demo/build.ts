// The builds of the demonstration: the tree of a package that is installed anyway, and a changed copy of it.

import { createHash } from 'node:crypto'
import { appendFile, cp, mkdir, readdir, readFile, readlink, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** Copies the build, and changes it the way a small release does: a few lines, one new file, one file gone. */
export const makeChangedBuild = async (build: string, into: string): Promise<void> => {
  await rm(into, { recursive: true, force: true })
  await mkdir(into, { recursive: true })
  await cp(build, into, { recursive: true, verbatimSymlinks: true })
  await appendFile(join(into, 'README.md'), '\nThis line is new in 1.1.0.\n')
  await writeFile(join(into, 'WHATS-NEW.md'), '# 1.1.0\n\nA line at the end of the README.\n')
  await rm(join(into, 'NOTICE.txt'), { force: true })
}

/** One digest over the names, kinds, executable bits and contents of a tree: equal trees, equal digests. */
export const digestOfTree = async (tree: string): Promise<string> => {
  const root = await realpath(tree)
  const hash = createHash('sha256')
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  const paths = entries.map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
  for (const { entry, path } of paths.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const name = relative(root, path)
    if (entry.isSymbolicLink()) hash.update(`link ${name} ${await readlink(path)}\n`)
    else if (entry.isDirectory()) hash.update(`directory ${name}\n`)
    else {
      const executable = ((await stat(path)).mode & 0o100) !== 0
      const content = createHash('sha256')
        .update(await readFile(path))
        .digest('hex')
      hash.update(`file ${name} ${executable} ${content}\n`)
    }
  }
  return hash.digest('hex')
}
