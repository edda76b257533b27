// What a look at this machine's agent amounts to: facts in, one line per check out, each with what to do. Pure; doctor.ts
// gathers the facts.
import { dirname } from 'node:path'
import type { SourceStatus, Status } from '@updraft/core/control/api'
import { ERROR_CODES, type ExitName, isUpdateError, messageOf } from '@updraft/core/errors'
import { count, span, timeText } from '@updraft/core/terminal/plain-text'
import { formatBytes } from '@updraft/core/terminal/progress'
import { actionOn } from '@updraft/core/trust/verification'
import type { HomeFault } from '../home-guard.ts'
import type { Settings } from '../settings.ts'
import type { StateOfAll } from '../status.ts'

/** One thing that was looked at. An `error` keeps the machine from being updated; a `warning` may, later. */
export interface Check {
  readonly name: string
  readonly level: 'ok' | 'warning' | 'error'
  readonly detail: string
  /** What to do about it; empty if nothing. */
  readonly hint: string
  /** Where the exit code comes from if this is the first error. */
  readonly exit: ExitName
}

/** Something that could be read, or why it could not. */
export type Outcome<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }

/** What the agent's store knows. */
export interface Knowledge {
  readonly state: StateOfAll
  readonly bundleBytes: readonly number[]
  /** Paths of installed versions and kept bundles that are not there. */
  readonly missingPaths: readonly string[]
}

/** A product that is in use beyond its folder: where, and what is wrong there. */
export interface Use {
  readonly product: string
  readonly kind: string
  readonly place: string
  readonly fault: Outcome<string | undefined>
}

export interface Socket {
  readonly path: string
  readonly uid: number
  readonly mode: number
}

export interface Facts {
  readonly now: Date
  readonly uid: number
  readonly settingsPath: string
  readonly settings: Outcome<Settings>
  readonly sources: Outcome<readonly Pick<SourceStatus, 'name'>[]>
  /** Undefined inside if no agent has ever run here. */
  readonly knowledge: Outcome<Knowledge | undefined>
  readonly uses: readonly Use[]
  /** Undefined inside if no agent runs. */
  readonly agent: Outcome<Status | undefined>
  readonly socket: Socket | undefined
  /** Of all products; without any, none. */
  readonly authorities: Outcome<readonly unknown[]>
  readonly homeFaults: Outcome<readonly HomeFault[]>
  readonly disk: Outcome<{
    readonly path: string
    readonly freeBytes: number
    /** Installed for everybody, and nobody else may go there. */
    readonly isClosed?: boolean
  }>
  /** The configured port while no agent runs: why it cannot be taken. */
  readonly port: Outcome<unknown>
}

export const diagnose = (facts: Facts): readonly Check[] => [
  settingsCheck(facts),
  storeCheck(facts),
  ...facts.uses.map(useCheck),
  ...sourceChecks(facts),
  ...findingChecks(facts),
  ...leftoverChecks(facts),
  ...verificationChecks(facts),
  ...authorityChecks(facts),
  clockCheck(facts),
  homeCheck(facts),
  diskCheck(facts),
  agentCheck(facts),
  portCheck(facts),
]

const ok = (name: string, detail: string, hint = ''): Check => ({ name, level: 'ok', detail, hint, exit: 'ok' })

const warning = (name: string, detail: string, hint: string): Check => ({
  name,
  level: 'warning',
  detail,
  hint,
  exit: 'ok',
})

const wrong = (name: string, exit: ExitName, detail: string, hint: string): Check => ({
  name,
  level: 'error',
  detail,
  hint,
  exit,
})

const failed = (name: string, error: unknown): Check =>
  isUpdateError(error)
    ? wrong(name, ERROR_CODES[error.code].exit, error.message, error.hint ?? '')
    : wrong(name, 'defect', messageOf(error), 'this is a defect of Updraft: please report it')

const settingsCheck = ({ settings, settingsPath }: Facts): Check => {
  if (settings.kind === 'failed') return failed('settings', settings.error)
  const { products } = settings.value
  return products.length === 0
    ? warning('settings', `${settingsPath} subscribes to no product`, 'run: updraft-agent install PRODUCT')
    : ok('settings', `${settingsPath} subscribes to ${count(products.length, 'product')}`)
}

const storeCheck = ({ knowledge }: Facts): Check => {
  if (knowledge.kind === 'failed') return failed('store', knowledge.error)
  if (knowledge.value === undefined) return ok('store', 'no agent has run here yet')
  const { missingPaths, bundleBytes, state } = knowledge.value
  const [first, ...others] = missingPaths
  if (first !== undefined) {
    const more = others.length === 0 ? '' : `, and ${others.length} more`
    return wrong(
      'store',
      'local',
      `${first} is recorded but not there${more}`,
      'somebody has removed it: restore it from a backup, or wait for the next release',
    )
  }
  const installed = state.products.filter((product) => product.installed !== undefined)
  return ok(
    'store',
    `whole: ${count(installed.length, 'product')} installed, ${count(bundleBytes.length, 'bundle')} kept`,
  )
}

const useCheck = ({ product, kind, place, fault }: Use): Check => {
  const name = `use of ${product}`
  if (fault.kind === 'failed') return failed(name, fault.error)
  if (fault.value === undefined) return ok(name, `as ${kind}, ${place}`)
  const hint =
    'somebody has changed it: look at it; to have it put back, change "install" in agent.json, or wait for a release'
  return wrong(name, 'local', fault.value, hint)
}

const sourceChecks = ({ sources, settings, knowledge, now }: Facts): readonly Check[] => {
  if (sources.kind === 'failed') return [failed('sources', sources.error)]
  const trusted = new Set(sources.value.map(({ name }) => name))
  const wanted = settings.kind === 'read' ? settings.value.products : []
  const untrusted = wanted
    .filter(({ source }) => !trusted.has(source))
    .map(({ name, source }) =>
      wrong(
        `source ${source}`,
        'untrusted',
        `${name} comes from ${source}, which has no pinned root`,
        `run: updraft-agent trust add URL --root FILE --name ${source}`,
      ),
    )
  if (trusted.size === 0 && untrusted.length === 0) {
    return [warning('sources', 'no source is trusted', 'run: updraft-agent trust add URL --root FILE')]
  }
  const known = knowledge.kind === 'read' ? (knowledge.value?.state.sources ?? []) : []
  return [
    ...untrusted,
    ...[...trusted].map((name) =>
      sourceCheck(
        name,
        known.find((source) => source.name === name),
        wanted.filter(({ source }) => source === name),
        now,
      ),
    ),
  ]
}

const sourceCheck = (
  source: string,
  known: SourceStatus | undefined,
  products: Settings['products'],
  now: Date,
): Check => {
  const name = `source ${source}`
  if (known?.importOnly) return importCheck(name, known, now)
  if (known?.expires === undefined) {
    const error = known?.lastCheck?.error
    if (error !== undefined) return warning(name, `never reached: ${error.detail}`, error.hint ?? '')
    return ok(name, 'root pinned; not checked yet')
  }
  const { expires, lastCheck, root } = known
  if (Date.parse(expires.at) <= now.getTime()) {
    const detail = `${expires.role} metadata expired ${span(expires.at, now)} ago`
    const hint = 'the publisher has to renew it; also compare the clock of this machine'
    const isOnlyTold =
      products.length > 0 &&
      products.every(({ verification }) => actionOn('metadata-expired', verification) === 'logged')
    return isOnlyTold
      ? warning(name, `${detail}; updates go on, because verification is lower`, hint)
      : wrong(name, 'untrusted', `${detail}, so updates have stopped`, hint)
  }
  if (lastCheck?.error !== undefined) {
    return warning(name, `the last check failed: ${lastCheck.error.detail}`, lastCheck.error.hint ?? '')
  }
  const compare = root.pinnedBy === 'first-use' ? 'compare its fingerprint: updraft-agent trust list' : ''
  return ok(
    name,
    `root ${root.version} pinned by ${root.pinnedBy}; ${expires.role} expires in ${span(expires.at, now)}`,
    compare,
  )
}

/** Nothing is late: whoever carries the next file renews what has expired. */
const importCheck = (name: string, { expires }: SourceStatus, now: Date): Check => {
  const only = 'root pinned; updates come by import only'
  if (expires === undefined) return ok(name, `${only}, and none was imported yet`, 'run: updraft-agent import FILE')
  const isOver = Date.parse(expires.at) <= now.getTime()
  return ok(
    name,
    `${only}; the last file was good until ${timeText(expires.at)} UTC`,
    isOver ? 'the next one has to be exported after a renewal' : '',
  )
}

/** Trust findings that hold, unless a check of the source says the same. */
const findingChecks = ({ knowledge }: Facts): readonly Check[] => {
  if (knowledge.kind === 'failed' || knowledge.value === undefined) return []
  return knowledge.value.state.products.flatMap(({ name, trust }) =>
    trust.findings
      .filter(({ severity }) => severity !== 'info')
      .map(({ severity, code, message, hint }) =>
        severity === 'error'
          ? wrong(`trust in ${name}`, 'untrusted', `${message} (${code})`, hint)
          : warning(`trust in ${name}`, `${message} (${code})`, hint),
      ),
  )
}

/** Installed, and no longer in the settings: taken out, or there under another name. */
const leftoverChecks = ({ knowledge }: Facts): readonly Check[] => {
  if (knowledge.kind === 'failed' || knowledge.value === undefined) return []
  return knowledge.value.state.products.flatMap(({ name, installed, decision }) =>
    installed === undefined || decision.every(({ rule, passed }) => rule !== 'subscribed' || passed)
      ? []
      : warning(
          `product ${name}`,
          `${installed.version} is installed, but ${name} is not in the settings, so nothing updates it`,
          `put it back into agent.json; or, if it is not needed, remove ${dirname(installed.path)} while no agent runs`,
        ),
  )
}
/** Somebody has lowered it; whoever looks at this machine later should know. */
const verificationChecks = ({ settings }: Facts): readonly Check[] =>
  settings.kind === 'failed'
    ? []
    : settings.value.products
        .filter(({ verification }) => verification !== 'strict')
        .map(({ name, verification }) =>
          warning(
            `verification of ${name}`,
            `it is ${verification}, so some trust findings do not stop updates`,
            `set "verification": "strict" for ${name} in agent.json once there is no reason left for it`,
          ),
        )

/** Clocks of machines in order differ by seconds; what is further ahead was not written yet. */
const CLOCK_TOLERANCE_MS = 5 * 60_000

const clockCheck = ({ knowledge, now }: Facts): Check => {
  const state = knowledge.kind === 'read' ? knowledge.value?.state : undefined
  const moments = [
    ...(state?.sources ?? []).flatMap(({ name, lastCheck }) =>
      lastCheck === undefined ? [] : [{ what: `the last check of ${name}`, at: lastCheck.at }],
    ),
    ...(state?.products ?? []).flatMap(({ name, installed, available }) => [
      ...(installed === undefined ? [] : [{ what: `the installation of ${name}`, at: installed.installedAt }]),
      ...(available === undefined ? [] : [{ what: `${name} ${available.version}`, at: available.published }]),
    ]),
  ]
  const ahead = moments
    .filter(({ at }) => Date.parse(at) > now.getTime() + CLOCK_TOLERANCE_MS)
    .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))[0]
  if (ahead === undefined) return ok('clock', `${timeText(now.toISOString())} UTC is after all that is known`)
  return wrong(
    'clock',
    'local',
    `${ahead.what} is of ${timeText(ahead.at)}, but it is ${timeText(now.toISOString())} UTC here`,
    'set the clock of this machine (or tell the publisher, if it is right): expiry cannot be judged without it',
  )
}

const authorityChecks = ({ authorities }: Facts): readonly Check[] => {
  if (authorities.kind === 'failed') return [failed('authorities', authorities.error)]
  const { length } = authorities.value
  return length === 0 ? [] : [ok('authorities', `${count(length, 'certificate')} of authorities can be read`)]
}

const homeCheck = ({ homeFaults }: Facts): Check => {
  if (homeFaults.kind === 'failed') return failed('home', homeFaults.error)
  const [first, ...others] = homeFaults.value.toSorted((a, b) => a.level.localeCompare(b.level))
  if (first === undefined) return ok('home', 'nobody else may write in it, or above it')
  const detail = `${first.path} ${first.what}${others.length === 0 ? '' : `, and ${others.length} more`}`
  return first.level === 'error'
    ? wrong('home', 'local', detail, 'give the agent another home, or take their right away (chown, chmod go-w)')
    : warning('home', detail, `if not all of them are to decide what is installed here, run: chmod g-w ${first.path}`)
}

const diskCheck = ({ disk, knowledge }: Facts): Check => {
  if (disk.kind === 'failed') return failed('disk', disk.error)
  const { path, freeBytes, isClosed = false } = disk.value
  const kept = knowledge.kind === 'read' ? (knowledge.value?.bundleBytes ?? []) : []
  const all = kept.reduce((sum, bytes) => sum + bytes, 0)
  const largest = Math.max(0, ...kept)
  const detail = `${formatBytes(freeBytes)} free at ${path}; ${count(kept.length, 'bundle')} kept, ${formatBytes(all)}`
  const hint = `free some space: the next release needs about ${formatBytes(ROOM_FOR_RELEASE * largest)}`
  if (freeBytes === 0 || freeBytes < largest) return wrong('disk', 'local', detail, hint)
  if (isClosed) {
    return warning(
      'disk',
      `nobody else can run what is installed: ${path} is closed to others`,
      `run: chmod 755 ${path}`,
    )
  }
  return freeBytes < ROOM_FOR_RELEASE * largest ? warning('disk', detail, hint) : ok('disk', detail)
}

/** Bundle and unpacked files are there at once; packed files are about half as long as they will be. */
const ROOM_FOR_RELEASE = 3

const agentCheck = ({ agent, socket, uid }: Facts): Check => {
  if (socket !== undefined && socket.uid !== uid) {
    return wrong(
      'agent',
      'local',
      `the socket ${socket.path} belongs to user ${socket.uid}, not to ${uid}`,
      'ask as that user, or set UPDRAFT_HOME to your own home',
    )
  }
  if (socket !== undefined && (socket.mode & 0o007) !== 0) {
    const mode = socket.mode.toString(8)
    return wrong(
      'agent',
      'local',
      `the socket ${socket.path} is open to others (mode ${mode})`,
      `run: chmod o= ${socket.path}`,
    )
  }
  if (agent.kind === 'failed') return failed('agent', agent.error)
  if (agent.value === undefined) {
    return wrong('agent', 'notRunning', 'no agent is running', 'start it with: updraft-agent run')
  }
  const { version, pid } = agent.value.agent
  return ok('agent', `version ${version} answers (process ${pid})`)
}

const portCheck = ({ agent, port, settings }: Facts): Check => {
  const running = agent.kind === 'read' ? agent.value?.agent : undefined
  if (running !== undefined) {
    return running.swarmPort === 0
      ? wrong('port', 'local', 'the swarm is not open, so no peer can be reached', 'the log of the agent says why')
      : ok('port', `peers reach port ${running.swarmPort}`)
  }
  if (port.kind === 'failed') return failed('port', port.error)
  const wanted = settings.kind === 'read' ? settings.value.network.port : 0
  return ok('port', wanted === 0 ? 'any free port is taken' : `port ${wanted} is free`)
}
