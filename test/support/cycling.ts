// Many looks of one agent in one process: the real cycle with its real refresh on real metadata, its real database and folders.
// Only the way in is another: what a server would answer comes out of exported files, and the swarm moves nothing.
import { readdirSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Carrier, carrierOf } from '@updraft/agent/carrier'
import { runCycle } from '@updraft/agent/cycle'
import { silentLog } from '@updraft/agent/log'
import { lookWith } from '@updraft/agent/look'
import { readSettings, type Settings } from '@updraft/agent/settings'
import type { Sharing } from '@updraft/agent/sharing'
import { databasePathOf, openStore } from '@updraft/agent/store'
import { type ExportFile, openExport } from '@updraft/core/archive/export-file'
import { UpdateError } from '@updraft/core/errors'
import { parseReleaseVersion } from '@updraft/core/names'
import { release } from '../publisher/release.ts'
import { NOW, openRepositoryWorkspace, writeTree } from '../publisher/workspace.ts'
import { idleSwarm } from './fake-agent-parts.ts'
import { ACME, exportedFrom, trustingHome } from './importing.ts'
import { pseudoText } from './small-build.ts'

export interface Taken {
  readonly heapBytes: number
  readonly openFiles: number
  readonly homeFiles: number
  readonly databaseBytes: number
  readonly rows: Readonly<Record<string, number>>
}

export interface Cycling extends AsyncDisposable {
  /** `new`: the next release is there; `same`: nothing new; `unreachable`: nobody answers. Gives the installed version. */
  cycle(what: 'new' | 'same' | 'unreachable'): Promise<string | undefined>
  /** Other settings from the next look on. */
  configure(change: Partial<Settings>): void
  /** The installed versions that are kept, by the store and by what lies there. */
  versions(): readonly (readonly string[])[]
  /** How many releases there still are. */
  releasesLeft(): number
  /** What the agent takes now, after a full garbage collection. */
  taken(): Taken
}

/** Makes as many releases, each a little different from the one before. */
export const openCycling = async (releases: number): Promise<Cycling> => {
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await openRepositoryWorkspace())
  const exported: ExportFile[] = []
  for (let number = 0; number < releases; number += 1) {
    await writeTree(workspace.build, { 'stays.txt': pseudoText(40_000, 1), 'changes.txt': pseudoText(10_000, number) })
    await release(workspace, { version: `1.${number}.0` })
    const path = join(workspace.directory, `${number}.tar`)
    await writeFile(path, await exportedFrom(workspace))
    exported.push(stack.use(await openExport(path)))
  }
  const home = stack.use(await trustingHome(workspace))
  const store = stack.use(openStore(home.stateDirectory))
  let settings = await readSettings(home.configDirectory)
  const [product] = settings.products
  if (product === undefined) throw new Error('the home is subscribed to nothing')
  const sharing = { swarm: idleSwarm(), torrentOf: () => undefined } as object as Sharing // All that a look uses of it.
  const look = lookWith({
    cycle: runCycle,
    home,
    store,
    sharing,
    settings: () => settings,
    agentVersion: parseReleaseVersion('1.0.0'),
    log: silentLog,
    now: () => NOW,
  })
  const unreachable = new UpdateError('SOURCE_UNREACHABLE', 'nobody answers')
  const silent = (carrier: Carrier): Carrier => ({ ...carrier, ask: () => Promise.reject(unreachable) })
  const { signal } = new AbortController()
  let current = -1

  const owned = stack.move()
  return {
    cycle: async (what) => {
      if (what === 'new') current += 1
      const file = exported[current]
      if (file === undefined) throw new Error('there are no more releases')
      const carrier = carrierOf(file)
      const ended = await look(product, signal, what === 'unreachable' ? silent(carrier) : carrier).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (ended !== undefined && ended !== unreachable && what !== 'unreachable') throw ended
      return store.installed.current(ACME)?.version
    },
    configure: (change) => {
      settings = { ...settings, ...change }
    },
    versions: () => [
      store.installed
        .kept(ACME)
        .map(({ version }) => version)
        .sort(),
      readdirSync(join(home.dataDirectory, 'products/acme/versions')).sort(),
    ],
    releasesLeft: () => exported.length - 1 - current,
    taken: () => ({
      heapBytes: heapAfterGarbage(),
      openFiles: readdirSync('/proc/self/fd').length,
      homeFiles: readdirSync(home.root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
        .length,
      databaseBytes: statSync(databasePathOf(home.stateDirectory)).size,
      rows: rowsIn(databasePathOf(home.stateDirectory)),
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const rowsIn = (path: string): Readonly<Record<string, number>> => {
  using database = new DatabaseSync(path, { readOnly: true })
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
  return Object.fromEntries(
    tables.map(({ name }) => [name, database.prepare(`SELECT count(*) AS rows FROM "${name}"`).get()?.rows as number]),
  )
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const heapAfterGarbage = (): number => {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
