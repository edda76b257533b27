// One contestant once through a scenario: builds the network, starts everybody, waits until the last agent has everything
// (or the time is up), counts, and takes everything down again, whatever happens.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { figuresOf, NODE, type ProcessFigures, type Speaker, startSpeaker } from '../processes.ts'
import { HEADER_RATIO } from './bound.ts'
import { type Contestant, type Counted, type Course, type Machine, type Participant, webServer } from './contestants.ts'
import { commandIn, createNetwork, type Host, type Network } from './network.ts'
import type { Scenario } from './options.ts'
import type { PoisonersReport } from './poisoners.ts'

export interface RaceOptions {
  readonly contestant: Contestant
  readonly scenario: Scenario
  readonly torrent: string
  /** Holds `bench/pack`. */
  readonly seedDirectory: string
  /** Is made, and removed. */
  readonly agentsDirectory: string
  readonly timeoutSeconds: number
  /** Expected duration: kills are spread over the first half of it. */
  readonly boundSeconds: number
  readonly isSame: (file: string) => boolean
  readonly profile: string | undefined
  readonly signal: AbortSignal
}

export interface AgentFigures extends Counted, Partial<ProcessFigures> {
  readonly address: string
  /** From its own start until it had everything; undefined if it never had. */
  readonly seconds: number | undefined
  readonly restarts: number
  /** Payload that came over its link, by size of the packets. */
  readonly linkReceivedBytes: number
}

export interface RaceFigures {
  /** From the start until the last agent had everything; infinite if one never had. */
  readonly seconds: number
  /** Payload that the origin sent, by size of the packets. */
  readonly originSentBytes: number
  /** The same for all seeds together. */
  readonly seedsSentBytes: number
  /** What came into each LAN over its uplink. */
  readonly uplinkReceivedBytes: readonly number[]
  readonly agents: readonly AgentFigures[]
  /** Undefined without any. */
  readonly poisoners?: PoisonersFigures | undefined
}

/** A pair is a poisoner and an agent. */
export interface PoisonersFigures {
  /** Pairs in which the agent got at least one bad block. */
  readonly sentPairs: number
  /** Of these, pairs in which the agent has banned the poisoner; undefined for a program that does not say. */
  readonly bannedPairs: number | undefined
  /** Poisoners that some agent is still connected with, at the end. */
  readonly stillConnected: number
}

const TRACKER_PORT = 6_969
const WEB_PORT = 8_080
/** The third byte of the first LAN's addresses. */
const LAN_SUBNET = 16
const RESTART_AFTER_MS = 1_000
/** Kills come in the first half of the expected time, evenly, so that there is something left to lose. */
const KILLS_FROM = 0.1
const KILLS_UNTIL = 0.5

/** Errors: throws if something cannot be started, if a machine has wrong bytes at the end, or once `signal` aborts. */
export const race = async (options: RaceOptions): Promise<RaceFigures> => {
  const { contestant, scenario, torrent, seedDirectory, agentsDirectory, timeoutSeconds, isSame, signal } = options
  await using stack = new AsyncDisposableStack()
  const network = stack.use(createNetwork())
  stack.defer(() => rm(agentsDirectory, { recursive: true, force: true }))

  const [originHost, ...seedHosts] = [
    network.addHost({ addresses: ['10.77.0.2'], link: scenario.origin }),
    ...addHosts(network, 2, scenario.seeds, scenario),
  ]
  const lans = Array.from({ length: scenario.groups }, () => network.addLan(scenario.groupLink))
  const agentHosts = Array.from({ length: scenario.agents }, (_, index) => {
    const lan = index % Math.max(1, lans.length)
    const place = lans[lan]
    const { link } = scenario
    return place === undefined
      ? network.addHost({ addresses: [`10.77.1.${index + 1}`], link })
      : network.addHost({ addresses: [`10.77.${LAN_SUBNET + lan}.${index + 1}`], link, place, prefix: 24 })
  })

  const isPeerless = scenario.httpOnly && scenario.dead === 0
  const course: Course = {
    torrent,
    sizeBytes: scenario.sizeBytes,
    agents: scenario.agents,
    httpOnly: scenario.httpOnly,
    yields: scenario.yields,
    trackerUrl: isPeerless ? undefined : `http://${network.hub.address}:${TRACKER_PORT}/announce`,
    webUrl: webUrlOf(originHost),
    profile: options.profile,
  }
  if (!isPeerless) await startTracker(network, scenario, stack)

  const start = (role: 'origin' | 'seed', host: Host): Participant => {
    const machine = { host, directory: seedDirectory }
    const participant = scenario.httpOnly ? webServer(machine, WEB_PORT) : contestant.start(role, machine, course)
    stack.defer(() => participant.kill())
    return participant
  }
  const sources = [start('origin', originHost), ...seedHosts.map((host) => start('seed', host))]
  await Promise.all(sources.map(({ ready }) => ready))
  for (const source of sources) source.go()
  const poisoners = scenario.poisoners > 0 ? await startPoisoners(network, scenario, course, stack) : undefined

  const runners: Runner[] = []
  for (const [index, host] of agentHosts.entries()) {
    const directory = join(agentsDirectory, `${index}`)
    await mkdir(directory, { recursive: true })
    const runner = createRunner(contestant, { host, directory }, course)
    stack.defer(() => runner.kill())
    runners.push(runner)
  }
  await Promise.all(runners.map((runner) => runner.ready()))
  signal.throwIfAborted()

  const over = new AbortController()
  const ended = AbortSignal.any([over.signal, signal])
  const lateFrom = scenario.agents - scenario.late
  const startedAt = performance.now()
  const finishes = runners.map(async (runner, index) => {
    if (index >= lateFrom) await wait(scenario.lateAfterSeconds * 1000, undefined, { signal: ended })
    return runner.run(killAfterMs(index, options), ended)
  })
  const timer = setTimeout(() => over.abort(), timeoutSeconds * 1000)
  stack.defer(() => clearTimeout(timer))
  await Promise.allSettled(finishes)
  signal.throwIfAborted()
  const seconds = (performance.now() - startedAt) / 1000

  poisoners?.tell('report')
  const report = await poisoners?.next<PoisonersReport>()
  const agents: AgentFigures[] = []
  for (const runner of runners) {
    const figures = await runner.stop()
    const file = join(runner.machine.directory, 'bench', 'pack')
    if (figures.seconds !== undefined && contestant.name !== 'http' && !isSame(file)) {
      throw new Error(`${contestant.name}: ${figures.address} has other bytes than the origin`)
    }
    agents.push(figures)
  }
  const factor = contestant.timesFactor?.(course) ?? 1
  const isDone = agents.every((agent) => agent.seconds !== undefined)
  return {
    seconds: isDone ? seconds * factor : Number.POSITIVE_INFINITY,
    originSentBytes: payloadOf(originHost.linkBytes().sent) * factor,
    seedsSentBytes: seedHosts.reduce((sum, host) => sum + payloadOf(host.linkBytes().sent), 0),
    uplinkReceivedBytes: lans.map((lan) => payloadOf(lan.linkBytes().received)),
    agents: agents.map((agent) => ({ ...agent, seconds: agent.seconds && agent.seconds * factor })),
    poisoners: report && poisonersFigures(report, agents),
  }
}

const poisonersFigures = ({ sent, connected }: PoisonersReport, agents: readonly AgentFigures[]): PoisonersFigures => {
  const agentOf = (pair: string) => agents.find(({ address }) => pair.endsWith(` ${address}`))
  const poisonerOf = (pair: string) => pair.split(' ')[0] ?? ''
  const sentPairs = sent.filter((pair) => agentOf(pair) !== undefined)
  const isTold = agents.every(({ banned }) => banned !== undefined)
  const banned = sentPairs.filter((pair) => agentOf(pair)?.banned?.includes(`address ${poisonerOf(pair)}`))
  const still = connected.filter((pair) => agentOf(pair) !== undefined).map(poisonerOf)
  return {
    sentPairs: sentPairs.length,
    bannedPairs: isTold ? banned.length : undefined,
    stillConnected: new Set(still).size,
  }
}

interface Runner {
  readonly machine: Machine
  ready(): Promise<unknown>
  /** Begins, is killed and begins again if that is asked for, and resolves once everything is there. */
  run(killAfterMs: number | undefined, signal: AbortSignal): Promise<void>
  kill(): Promise<void>
  stop(): Promise<AgentFigures>
}

const createRunner = (contestant: Contestant, machine: Machine, course: Course): Runner => {
  let participant = contestant.start('agent', machine, course)
  let seconds: number | undefined
  let restarts = 0
  let cpuBefore = 0
  let earlier: ProcessFigures = { cpuSeconds: 0, peakBytes: 0 }

  /** All of its lives; undefined if it has ended by itself and nobody counted. */
  const figures = (): ProcessFigures | undefined => {
    const now = figuresOf(participant.pid)
    return (
      now && {
        cpuSeconds: earlier.cpuSeconds + now.cpuSeconds - cpuBefore,
        peakBytes: Math.max(earlier.peakBytes, now.peakBytes),
      }
    )
  }

  const go = async (): Promise<void> => {
    await participant.ready
    // Starting a runtime is not what is compared.
    cpuBefore = figuresOf(participant.pid)?.cpuSeconds ?? 0
    participant.go()
  }

  const restart = async (): Promise<void> => {
    earlier = figures() ?? earlier
    await participant.kill()
    restarts += 1
    await wait(RESTART_AFTER_MS)
    participant = contestant.start('agent', machine, course)
    await go()
  }

  return {
    machine,
    ready: () => participant.ready,
    run: async (killAfterMs, signal) => {
      const startedAt = performance.now()
      const interrupted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
      interrupted.catch(() => {}) // The run may be over before.
      await go()
      if (killAfterMs !== undefined) {
        const killAt = wait(killAfterMs, 'kill' as const, { signal })
        if ((await Promise.race([killAt, participant.done])) === 'kill') await restart()
      }
      await Promise.race([participant.done, interrupted])
      seconds = (performance.now() - startedAt) / 1000
    },
    kill: () => participant.kill(),
    stop: async () => {
      const linkReceivedBytes = payloadOf(machine.host.linkBytes().received)
      const counts = figures()
      const counted = await participant.stop()
      return { address: machine.host.addresses[0] ?? '', seconds, restarts, linkReceivedBytes, ...counts, ...counted }
    },
  }
}

const killAfterMs = (index: number, { scenario, boundSeconds }: RaceOptions): number | undefined => {
  const victims = Math.round(scenario.agents * scenario.churn)
  if (index >= victims) return undefined
  const share = KILLS_FROM + ((KILLS_UNTIL - KILLS_FROM) * (index + 0.5)) / victims
  return share * boundSeconds * 1000
}

const addHosts = (network: Network, subnet: number, count: number, { link }: Scenario): readonly Host[] =>
  Array.from({ length: count }, (_, index) => network.addHost({ addresses: [`10.77.${subnet}.${index + 1}`], link }))

const webUrlOf = ({ addresses }: Host): string => `http://${addresses[0]}:${WEB_PORT}/`

const startTracker = async (network: Network, scenario: Scenario, stack: AsyncDisposableStack): Promise<void> => {
  const dead = Array.from({ length: scenario.dead }, (_, index) => `--dead=10.77.4.${index + 1}`)
  const only = scenario.httpOnly ? ['--only-dead'] : []
  const args = [`--host=${network.hub.address}`, `--port=${TRACKER_PORT}`, ...dead, ...only]
  await startHelper(commandIn(network.hub, [...NODE, join(import.meta.dirname, 'tracker.ts'), ...args]), stack)
}

/** One process for all of them, with an address and a share of the link for each. */
const startPoisoners = async (
  network: Network,
  { poisoners, link }: Scenario,
  { torrent, trackerUrl }: Course,
  stack: AsyncDisposableStack,
): Promise<Speaker> => {
  const host = network.addHost({
    addresses: Array.from({ length: poisoners }, (_, index) => `10.77.3.${index + 1}`),
    link: { up: link.up * poisoners, down: link.down * poisoners },
  })
  const addresses = host.addresses.map((address) => `--address=${address}`)
  const args = [`--metainfo=${torrent}`, `--tracker=${trackerUrl}`, ...addresses]
  return startHelper(commandIn(host, [...NODE, join(import.meta.dirname, 'poisoners.ts'), ...args]), stack)
}

const startHelper = async (command: readonly string[], stack: AsyncDisposableStack): Promise<Speaker> => {
  const helper = startSpeaker(command)
  stack.defer(() => helper.stop())
  await helper.next()
  return helper
}

const payloadOf = (linkBytes: number): number => linkBytes / HEADER_RATIO
