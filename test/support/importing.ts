// An agent that imports, in this process: the real agent with its real cycle; only its swarm moves nothing, and its clock stands.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runAgent } from '@updraft/agent/agent'
import { runCycle } from '@updraft/agent/cycle'
import { silentLog } from '@updraft/agent/log'
import { describeSources, pinRoot } from '@updraft/agent/trust-store'
import { openExport } from '@updraft/core/archive/export-file'
import { parseChannel, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { exportRelease } from '../../publisher/src/export.ts'
import { NOW, type Workspace } from '../publisher/workspace.ts'
import type { Entry } from './archives.ts'
import { idleSwarm, type TemporaryHome, temporaryHome } from './fake-agent-parts.ts'

export const ACME = parseProduct('acme')

/** The newest release of the product, with its patches. */
export const exportedFrom = async ({ repository, directory }: Workspace, product = ACME): Promise<Buffer> => {
  const out = join(directory, 'exported.tar')
  await exportRelease({ repository, product, channel: parseChannel('stable'), patches: true, out }, { now: NOW })
  return await readFile(out)
}

export const entriesOf = async (path: string): Promise<readonly Entry[]> => {
  await using file = await openExport(path)
  return await Promise.all(file.names.map(async (name) => ({ name, bytes: await file.read(name, 2 ** 30) })))
}

/** A home that is subscribed to `acme`, and trusts the root of the repository under the name `main`. */
export const trustingHome = async ({ repository }: Workspace): Promise<TemporaryHome> => {
  const home = temporaryHome()
  await mkdir(home.stateDirectory, { recursive: true })
  const rootBytes = await readFile(join(repository, 'metadata/1.root.json'))
  const url = 'http://127.0.0.1:9/'
  await pinRoot(home.stateDirectory, { name: 'main', url, rootBytes, pinnedBy: 'file', addedAt: NOW })
  await writeFile(join(home.configDirectory, 'agent.json'), '{ "products": { "acme": { "source": "main" } } }')
  return home
}

/** Why the import failed, or undefined. */
export const importing = async (home: TemporaryHome, bytes: Buffer, now = NOW): Promise<unknown> => {
  const path = join(home.root, 'x.tar')
  await writeFile(path, bytes)
  try {
    const failures = await runAgent({
      home,
      parts: { cycle: runCycle, openSwarm: async () => idleSwarm(), seedKept: async () => {}, describeSources },
      version: parseReleaseVersion('1.0.0'),
      once: true,
      only: [ACME],
      importFile: path,
      log: silentLog,
      now: () => now,
      signal: new AbortController().signal,
    })
    return failures.get(ACME)
  } catch (error) {
    return error
  }
}
