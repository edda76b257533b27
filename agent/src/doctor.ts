// Looks at everything that this machine's agent needs, whether it runs or not, and says what to do about what is wrong.
// Changes nothing; one thing that cannot be read does not hide the others.
import { constants, existsSync } from 'node:fs'
import { access, lstat, stat, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import type { Status } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { type Home, homeOf } from '@updraft/core/control/home'
import { fromFileSystem, hasCode, systemCodeOf, UpdateError } from '@updraft/core/errors'
import type { AgentParts } from './agent.ts'
import { readAuthorities } from './authorities.ts'
import { type Check, diagnose, type Knowledge, type Outcome, type Socket, type Use } from './doctor/diagnosis.ts'
import { faultsOfHome } from './home-guard.ts'
import { faultOfUse } from './in-use.ts'
import { placeOfUse } from './settings/install-kind.ts'
import { parseSettings, readSettings, type Settings, settingsPathOf } from './settings.ts'
import { NOTHING_LIVE, type SourceDescription, statusOf } from './status.ts'
import { databasePathOf, openStore } from './store.ts'

export interface DoctorOptions {
  readonly home: Home
  readonly parts: Pick<AgentParts, 'describeSources'>
  readonly now: Date
  /** Who asks. */
  readonly uid: number
  readonly signal: AbortSignal
}

/** Errors: ABORTED; everything else is in the answer. */
export const examine = async ({ home, parts, now, uid, signal }: DoctorOptions): Promise<readonly Check[]> => {
  const settings = await outcome(() => readSettings(home.configDirectory))
  const sources = await outcome(() => parts.describeSources(home))
  const agent = await outcome(() => readAgent(home, signal))
  signal.throwIfAborted()
  const isRunning = agent.kind === 'read' && agent.value !== undefined
  return diagnose({
    now,
    uid,
    settingsPath: settingsPathOf(home.configDirectory),
    settings,
    sources,
    agent,
    knowledge: await outcome(() => readKnowledge(home, settings, sources)),
    uses: settings.kind === 'failed' ? [] : await readUses(home, settings.value, signal),
    socket: await readSocket(home.socketPath),
    homeFaults: await outcome(async () => faultsOfHome(home, (await ownerOf(home.stateDirectory)) ?? uid)),
    authorities: await outcome(() => (settings.kind === 'read' ? readAllAuthorities(settings.value) : [])),
    disk: await outcome(() => readDisk(home.dataDirectory)),
    port: await outcome(() =>
      isRunning || settings.kind === 'failed' ? undefined : tryPort(settings.value.network.port),
    ),
  })
}

const outcome = async <T>(read: () => Promise<T> | T): Promise<Outcome<T>> => {
  try {
    return { kind: 'read', value: await read() }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

const readAgent = async ({ socketPath }: Home, signal: AbortSignal): Promise<Status | undefined> => {
  try {
    return await controlClient(socketPath).status({ signal })
  } catch (error) {
    if (hasCode(error, 'AGENT_NOT_RUNNING')) return undefined
    throw error
  }
}

/** Settings and sources that cannot be read are faults of their own: the store is looked at without them. */
const readKnowledge = (
  { stateDirectory, dataDirectory }: Home,
  settings: Outcome<Settings>,
  sources: Outcome<readonly SourceDescription[]>,
): Knowledge | undefined => {
  if (!existsSync(databasePathOf(stateDirectory))) return undefined
  using store = openStore(stateDirectory, { readOnly: true })
  const seeds = store.seeds.all()
  const paths = [
    ...store.installed.allCurrent().map(({ path }) => path),
    ...seeds.map(({ name }) => join(dataDirectory, 'bundles', name)),
  ]
  return {
    state: statusOf({
      store,
      settings: settings.kind === 'read' ? settings.value : parseSettings('', ''),
      sources: sources.kind === 'read' ? sources.value : [],
      live: NOTHING_LIVE,
    }),
    bundleBytes: seeds.map(({ lengthBytes }) => lengthBytes),
    missingPaths: paths.filter((path) => !existsSync(path)),
  }
}

/** What is in use beyond the folders, compared with what is installed. A store that cannot be read is told of elsewhere. */
const readUses = async (home: Home, { products }: Settings, signal: AbortSignal): Promise<readonly Use[]> => {
  const uses: Use[] = []
  for (const { name: product, install } of products) {
    const place = placeOfUse(install)
    if (place === undefined) continue
    const fault = await outcome(() => faultIn(home, { name: product, install }, signal))
    uses.push({ product, kind: install.kind, place, fault })
  }
  return uses
}

const faultIn = async (home: Home, product: Parameters<typeof faultOfUse>[0], signal: AbortSignal) => {
  if (!existsSync(databasePathOf(home.stateDirectory))) return undefined
  using store = openStore(home.stateDirectory, { readOnly: true })
  return await faultOfUse(product, { home, store, signal })
}

const readAllAuthorities = ({ products }: Settings) =>
  readAuthorities([...new Set(products.flatMap(({ authorities }) => authorities))])

/** Whose agent it is: root and the members of a group also ask about the one of the machine's service. */
const ownerOf = async (path: string): Promise<number | undefined> => {
  try {
    return (await lstat(path)).uid
  } catch {
    return undefined // No agent has run here, or this user may not look.
  }
}

const readSocket = async (path: string): Promise<Socket | undefined> => {
  try {
    const { uid, mode } = await lstat(path)
    return { path, uid, mode: mode & 0o777 }
  } catch {
    return undefined // Asking the agent says why, and whether that matters.
  }
}

/** Of the nearest folder that exists: the agent makes the others. */
const readDisk = async (directory: string) => {
  let path = directory
  while (!existsSync(path) && path !== dirname(path)) path = dirname(path)
  try {
    await access(path, constants.W_OK | constants.X_OK)
    const { bavail, bsize } = await statfs(path)
    // An agent of the machine installs for everybody; older ones made this folder for root alone.
    const isClosed = path === homeOf({}, 0).dataDirectory && ((await stat(path)).mode & 0o001) === 0
    return { path, freeBytes: bavail * bsize, isClosed }
  } catch (error) {
    throw fromFileSystem(error, `the agent needs to write in ${path}`)
  }
}

/** Takes the port for a moment, as the agent will. Errors: PORT_IN_USE, PERMISSION. */
const tryPort = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', (error) =>
      reject(
        systemCodeOf(error) === 'EADDRINUSE'
          ? new UpdateError('PORT_IN_USE', `port ${port} is taken by another program`, {
              cause: error,
              hint: 'set network.port in agent.json to another one, or to 0 for any that is free',
            })
          : fromFileSystem(error, `port ${port} cannot be taken`),
      ),
    )
    server.listen(port, () => server.close(() => resolve()))
  })
