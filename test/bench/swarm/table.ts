// What the lab prints: one line for each contestant, medians of its runs, every time as a ratio to the bound. Pure.
import { median, quantile } from '../samples.ts'
import { HEADER_RATIO } from './bound.ts'
import type { Scenario } from './options.ts'
import type { AgentFigures, RaceFigures } from './race.ts'

export interface Row {
  readonly name: string
  /** Until the last agent had everything; infinite if one never had. */
  readonly seconds: number
  readonly timeToBound: number
  /** The same without what the headers of a full segment take of each link. */
  readonly timeToBoundWithHeaders: number
  /** Of the agents, each from its own start. */
  readonly p50Seconds: number
  readonly p99Seconds: number
  /** How much later the last are than those in the middle. */
  readonly p99ToP50: number
  readonly originSentToSize: number
  /** Payload that an agent received ÷ size, on average, by its own count; undefined if it keeps none. */
  readonly receivedToSize: number | undefined
  /** Copies that came over a LAN's uplink, on average; undefined without LANs. */
  readonly uplinkToSize: number | undefined
  /** Undefined for a program that is gone when it is done. */
  readonly cpuSecondsPerAgent: number | undefined
  readonly peakMibPerAgent: number | undefined
  /** Of the poisoners that an agent got something from, those that it banned, over all agents; undefined if it does not say. */
  readonly bannedToMet: number | undefined
  /** Poisoners that somebody was still connected with at the end; undefined without any. */
  readonly poisonersLeft: number | undefined
  /** Until an agent's first payload, the slowest; undefined if it does not say. */
  readonly firstBytesMs: number | undefined
}

const MIB = 1024 * 1024

/** Medians over the runs, of what each run's agents have on average. */
export const rowOf = (name: string, runs: readonly RaceFigures[], scenario: Scenario, boundSeconds: number): Row => {
  const { sizeBytes } = scenario
  const over = (value: (run: RaceFigures) => number): number => median(runs.map(value))
  const seconds = over((run) => run.seconds)
  const secondsOf = ({ agents }: RaceFigures) => agents.map((agent) => agent.seconds ?? Number.POSITIVE_INFINITY)
  const optional = (value: (agent: AgentFigures) => number | undefined, join: (values: readonly number[]) => number) =>
    runs.every(({ agents }) => agents.every((agent) => value(agent) !== undefined))
      ? over(({ agents }) => join(agents.map((agent) => value(agent) ?? Number.NaN)))
      : undefined
  return {
    name,
    seconds,
    timeToBound: seconds / boundSeconds,
    timeToBoundWithHeaders: seconds / (boundSeconds * HEADER_RATIO),
    p50Seconds: over((run) => quantile(secondsOf(run), 0.5)),
    p99Seconds: over((run) => quantile(secondsOf(run), 0.99)),
    p99ToP50: over((run) => quantile(secondsOf(run), 0.99) / quantile(secondsOf(run), 0.5)),
    originSentToSize: over((run) => run.originSentBytes) / sizeBytes,
    receivedToSize: optional(({ receivedBytes }) => receivedBytes && receivedBytes / sizeBytes, average),
    uplinkToSize:
      scenario.groups === 0 ? undefined : over(({ uplinkReceivedBytes }) => average(uplinkReceivedBytes)) / sizeBytes,
    cpuSecondsPerAgent: optional(({ cpuSeconds }) => cpuSeconds, average),
    peakMibPerAgent: optional(({ peakBytes }) => peakBytes && peakBytes / MIB, average),
    bannedToMet: runs.every(({ poisoners }) => poisoners?.bannedPairs !== undefined)
      ? over(({ poisoners }) => (poisoners?.bannedPairs ?? 0) / Math.max(1, poisoners?.sentPairs ?? 0))
      : undefined,
    poisonersLeft: scenario.poisoners === 0 ? undefined : over(({ poisoners }) => poisoners?.stillConnected ?? 0),
    firstBytesMs: optional(
      ({ firstBytesMs }) => firstBytesMs,
      (values) => Math.max(...values),
    ),
  }
}

const average = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length

type Column = readonly [title: string, value: (row: Row) => number | undefined, digits: number]

const COLUMNS: readonly Column[] = [
  ['time s', ({ seconds }) => seconds, 1],
  ['÷ bound', ({ timeToBound }) => timeToBound, 3],
  ['+ headers', ({ timeToBoundWithHeaders }) => timeToBoundWithHeaders, 3],
  ['p50 s', ({ p50Seconds }) => p50Seconds, 1],
  ['p99 s', ({ p99Seconds }) => p99Seconds, 1],
  ['p99 ÷ p50', ({ p99ToP50 }) => p99ToP50, 2],
  ['origin sent', ({ originSentToSize }) => originSentToSize, 3],
  ['received', ({ receivedToSize }) => receivedToSize, 3],
  ['uplink', ({ uplinkToSize }) => uplinkToSize, 2],
  ['banned', ({ bannedToMet }) => bannedToMet, 2],
  ['still in', ({ poisonersLeft }) => poisonersLeft, 0],
  ['CPU s', ({ cpuSecondsPerAgent }) => cpuSecondsPerAgent, 2],
  ['peak MiB', ({ peakMibPerAgent }) => peakMibPerAgent, 0],
  ['first ms', ({ firstBytesMs }) => firstBytesMs, 0],
]

const NAME_WIDTH = 12

export const formatTable = (rows: readonly Row[]): string => {
  const shown = COLUMNS.filter(([, value]) => rows.some((row) => value(row) !== undefined))
  const heading = shown.map(([title]) => title.padStart(title.length + 2)).join('')
  const lines = rows.map(
    (row) =>
      row.name.padEnd(NAME_WIDTH) +
      shown.map(([title, value, digits]) => format(value(row), digits).padStart(title.length + 2)).join(''),
  )
  return `${[' '.repeat(NAME_WIDTH) + heading, ...lines].join('\n')}\n`
}

const format = (value: number | undefined, digits: number): string =>
  value === undefined ? '-' : Number.isFinite(value) ? value.toFixed(digits) : 'never'

/** One line that says what was run. */
export const describeScenario = (scenario: Scenario): string => {
  const { sizeBytes, pieceLength, origin, agents, link, seeds, poisoners, dead, churn, late, lateAfterSeconds } =
    scenario
  const rate = (bitsPerSecond: number) => `${Number((bitsPerSecond / 1e6).toFixed(3))}`
  const parts = [
    `${agents} agents with ${rate(link.up)} up and ${rate(link.down)} down`,
    `origin ${rate(origin.up)} Mbit/s`,
    `${Number((sizeBytes / MIB).toFixed(3))} MiB in pieces of ${pieceLength / 1024} KiB`,
    ...(scenario.httpOnly ? ['HTTP only'] : []),
    ...(scenario.yields ? ['ours yields'] : []),
    ...(seeds > 0 ? [`${seeds} seeds`] : []),
    ...(poisoners > 0 ? [`${poisoners} poisoners`] : []),
    ...(dead > 0 ? [`${dead} dead peers`] : []),
    ...(churn > 0 ? [`${churn * 100} % killed once`] : []),
    ...(late > 0 ? [`${late} agents ${lateAfterSeconds} s late`] : []),
    ...(scenario.groups > 0
      ? [`${scenario.groups} LANs behind ${rate(scenario.groupLink.up)} up and ${rate(scenario.groupLink.down)} down`]
      : []),
  ]
  return parts.join(', ')
}
