// Who takes part in the lab, and how a machine of each is started, told to begin, and asked what it counted.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NODE, PYTHON, type Speaker, startSpeaker } from '../processes.ts'
import { commandIn, type Host } from './network.ts'
import type { ContestantName } from './options.ts'

/** What all machines of one run are given. */
export interface Course {
  readonly torrent: string
  readonly sizeBytes: number
  readonly agents: number
  readonly httpOnly: boolean
  /** Our agents leave links to others. */
  readonly yields: boolean
  /** Undefined if there is nobody to be found. */
  readonly trackerUrl: string | undefined
  /** Where the folder `bench` is served over HTTP. */
  readonly webUrl: string
  /** Folder for CPU profiles of our agents, if they are wanted. */
  readonly profile: string | undefined
}

export interface Machine {
  readonly host: Host
  /** The file is, or will be, at `<directory>/bench/pack`. */
  readonly directory: string
}

export type Role = 'origin' | 'seed' | 'agent'

/** What a machine counted itself; links are counted from outside. */
export interface Counted {
  readonly receivedBytes?: number
  readonly sentBytes?: number
  readonly firstBytesMs?: number
  /** What it has banned, in our swarm's words: `address 10.77.3.1`. */
  readonly banned?: readonly string[]
}

export interface Participant {
  readonly pid: number | undefined
  /** It can be told to go. */
  readonly ready: Promise<unknown>
  go(): void
  /** Resolves once it has everything; rejects if it ends before. */
  readonly done: Promise<unknown>
  kill(): Promise<void>
  stop(): Promise<Counted>
}

export interface Contestant {
  readonly name: ContestantName
  /** What is not installed, or undefined. */
  missing(): string | undefined
  start(role: Role, machine: Machine, course: Course): Participant
  /** It fetches only its part of everything, because its time is in proportion: its times are multiplied by this. */
  readonly timesFactor?: (course: Course) => number
}

const here = (file: string): string => join(import.meta.dirname, file)
const hasProgram = (program: string): boolean => spawnSync('which', [program]).status === 0

/** A machine that speaks JSON lines: `ready`, `done`, and at the end what it counted. */
const speaking = (machine: Machine, command: readonly string[]): Participant => {
  const speaker: Speaker = startSpeaker(commandIn(machine.host, command))
  const ready = speaker.next<object>()
  let said: Promise<Counted & { readonly done?: true }> | undefined
  const done = ready.then(() => {
    said = speaker.next()
    return said
  })
  done.catch(() => {}) // It was killed, or whoever waits for it has the error.
  return {
    pid: speaker.child.pid,
    ready,
    go: () => speaker.tell('go'),
    done,
    kill: () => kill(speaker.child),
    stop: async () => {
      const ended = speaker.stop()
      let counted: Counted & { readonly done?: true } = (await said?.catch(() => ({}))) ?? {}
      if (counted.done === true) counted = await speaker.next<Counted>().catch(() => ({}))
      await ended
      return counted
    },
  }
}

const kill = async (child: ReturnType<typeof spawn>): Promise<void> => {
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

export const webServer = (machine: Machine, port: number): Participant =>
  speaking(machine, [...NODE, here('web-server.ts'), machine.directory, machine.host.addresses[0] ?? '', `${port}`])

const updraft: Contestant = {
  name: 'updraft',
  missing: () => undefined,
  start: (role, machine, { torrent, trackerUrl, webUrl, httpOnly, yields, profile }) =>
    speaking(machine, [
      ...NODE,
      ...(profile === undefined || role !== 'agent' ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
      here('our-peer.ts'),
      role,
      ...(yields && role === 'agent' ? ['--yields'] : []),
      `--metainfo=${torrent}`,
      `--directory=${machine.directory}`,
      ...(trackerUrl === undefined ? [] : [`--tracker=${trackerUrl}`]),
      ...(httpOnly ? [`--web-seed=${webUrl}`] : []),
    ]),
}

const libtorrent: Contestant = {
  name: 'libtorrent',
  missing: () => (spawnSync(PYTHON, ['-c', 'import libtorrent']).status === 0 ? undefined : 'python3-libtorrent'),
  start: (role, machine, { torrent, trackerUrl }) =>
    speaking(machine, [PYTHON, here('libtorrent-peer.py'), role, torrent, machine.directory, trackerUrl ?? '-']),
}

/** aria2 begins as soon as it is started, and tells that it has everything by running a command. */
const aria2: Contestant = {
  name: 'aria2',
  missing: () => (hasProgram('aria2c') ? undefined : 'aria2'),
  start: (role, { host, directory }, { torrent, trackerUrl }) => {
    const finished = join(directory, 'finished')
    const launch = async () => {
      await writeFile(`${finished}.sh`, `#!/bin/sh\n: > '${finished}'\n`, { mode: 0o755 })
      const [program = '', ...args] = commandIn(host, [
        'aria2c',
        `--dir=${directory}`,
        '--listen-port=6881',
        ...(trackerUrl === undefined ? [] : [`--bt-tracker=${trackerUrl}`]),
        '--enable-dht=false',
        '--bt-enable-lpd=false',
        '--bt-max-peers=0',
        '--bt-request-peer-speed-limit=1024M',
        '--bt-detach-seed-only=true',
        '--max-upload-limit=0',
        '--seed-ratio=0.0',
        '--file-allocation=none',
        '--auto-save-interval=1',
        '--quiet=true',
        ...(role === 'agent' ? [`--on-bt-download-complete=${finished}.sh`] : ['--bt-seed-unverified=true']),
        torrent,
      ])
      return spawn(program, args, { stdio: 'ignore' })
    }
    let child: ReturnType<typeof spawn> | undefined
    let launching: Promise<void> | undefined
    let over = false
    const done = (async () => {
      while (!over && (await stat(finished).catch(() => undefined)) === undefined) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
      }
    })()
    return {
      get pid() {
        return child?.pid
      },
      ready: Promise.resolve(),
      go: () => {
        launching = launch().then((launched) => {
          child = launched
        })
      },
      done,
      kill: async () => {
        over = true
        await launching
        if (child !== undefined) await kill(child)
      },
      stop: async () => {
        over = true
        await launching
        if (child !== undefined) await kill(child)
        return {}
      },
    }
  },
}
const LOOK_EVERY_MS = 20

/** What everyone would do without peers. Unless that is the whole scenario, each fetches an equal part of the file only. */
const http: Contestant = {
  name: 'http',
  missing: () => (hasProgram('curl') ? undefined : 'curl'),
  timesFactor: ({ agents, httpOnly }) => (httpOnly ? 1 : agents),
  start: (role, machine, { webUrl, sizeBytes, agents, httpOnly }) => {
    if (role !== 'agent') return webServer(machine, Number(new URL(webUrl).port))
    const range = httpOnly ? [] : ['--range', `0-${Math.ceil(sizeBytes / agents) - 1}`]
    let child: ReturnType<typeof spawn> | undefined
    let finish: (outcome: Promise<void>) => void = () => {}
    const done = new Promise<void>((resolve) => {
      finish = resolve
    })
    done.catch(() => {}) // Whoever waits for it has the error.
    return {
      get pid() {
        return child?.pid
      },
      ready: Promise.resolve(),
      go: () => {
        const out = ['--silent', '--fail', ...range, '--output', join(machine.directory, 'pack'), `${webUrl}bench/pack`]
        const [program = '', ...args] = commandIn(machine.host, ['curl', ...out])
        const started = spawn(program, args, { stdio: 'ignore' })
        child = started
        finish(
          once(started, 'exit').then(([code]) => {
            if (code !== 0) throw new Error(`curl ended with ${code}`)
          }),
        )
      },
      done,
      kill: async () => {
        if (child !== undefined) await kill(child)
      },
      stop: async () => {
        if (child !== undefined) await kill(child)
        return {}
      },
    }
  },
}

export const ALL_CONTESTANTS: readonly Contestant[] = [updraft, libtorrent, aria2, http]
