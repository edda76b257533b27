// A folder of its own for one test: a repository with unencrypted keys, a build, and a way to see whether anything in
// them has changed.
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseProduct } from '@updraft/core/names'
import { type InitRequest, initRepository, type NewRepository } from '../../publisher/src/init.ts'
import { fileKeys } from '../../publisher/src/keys/key-file.ts'
import type { KeySource } from '../../publisher/src/keys/signer.ts'

import { parseRepositorySettings } from '../../publisher/src/repository-settings.ts'

export const NOW = new Date('2026-03-01T12:00:00.000Z')
export const hoursAfter = (time: Date, hours: number): Date => new Date(time.getTime() + hours * 60 * 60 * 1000)

export interface Workspace extends AsyncDisposable {
  readonly directory: string
  readonly repository: string
  readonly keysDirectory: string
  readonly keys: KeySource
  readonly build: string
}

export const openWorkspace = async (): Promise<Workspace> => {
  const directory = await mkdtemp(join(tmpdir(), 'updraft-publisher-'))
  const keysDirectory = join(directory, 'r.keys')
  return {
    directory,
    repository: join(directory, 'r'),
    keysDirectory,
    keys: fileKeys(keysDirectory, async () => undefined),
    build: join(directory, 'build'),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

/** A workspace with a repository for `acme` and a small build. */
export const openRepositoryWorkspace = async (request: Partial<InitRequest> = {}): Promise<Workspace> => {
  const workspace = await openWorkspace()
  await init(workspace, request)
  await writeTree(workspace.build, { 'bin/acme': 'the program', 'README.md': 'read me\n' })
  return workspace
}

/** Another one with the same in it. */
export const copyWorkspace = async (from: Workspace): Promise<Workspace> => {
  const workspace = await openWorkspace()
  await cp(from.directory, workspace.directory, { recursive: true })
  return workspace
}

export const init = (
  { repository, keysDirectory }: Workspace,
  request: Partial<InitRequest> = {},
  passphrase?: string,
  now = NOW,
): Promise<NewRepository> =>
  initRepository(
    {
      directory: repository,
      keysDirectory,
      products: [parseProduct('acme')],
      settings: parseRepositorySettings({}, 'test'),
      rootKeys: 1,
      rootThreshold: 1,
      ...request,
    },
    { passphrase, now },
  )

export const writeTree = async (folder: string, files: Readonly<Record<string, string | Uint8Array>>) => {
  await mkdir(folder, { recursive: true })
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}

/** What is in a folder, as one digest per path. The lock file and `.staging` say nothing to clients. */
export const fingerprintTree = async (folder: string): Promise<Readonly<Record<string, string>>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const digests: Record<string, string> = {}
  for (const entry of entries.sort((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1))) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(folder.length + 1)
    if (name === '.lock' || name.startsWith('.staging')) continue
    if (entry.isFile())
      digests[name] = createHash('sha256')
        .update(await readFile(path))
        .digest('hex')
    else digests[name] = entry.isSymbolicLink() ? await readlink(path) : 'folder'
  }
  return digests
}
