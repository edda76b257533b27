// What the lab is asked for. Pure: parses the command line, collects every fault, and throws once.
import { parseArgs } from 'node:util'
import { UpdateError } from '@updraft/core/errors'
import { pieceLengthFor } from '@updraft/core/swarm/metainfo'

export const CONTESTANTS = ['updraft', 'libtorrent', 'aria2', 'http'] as const
export type ContestantName = (typeof CONTESTANTS)[number]

/** Both directions of a link, in bits per second. */
export interface LinkSpeed {
  readonly up: number
  readonly down: number
}

export interface Scenario {
  readonly sizeBytes: number
  readonly pieceLength: number
  /** The origin's; the way down is as fast. */
  readonly origin: LinkSpeed
  readonly agents: number
  /** Of each agent, and of each seed and poisoner. */
  readonly link: LinkSpeed
  /** Machines that have everything already. */
  readonly seeds: number
  readonly poisoners: number
  /** Addresses that the tracker names and where nobody answers. */
  readonly dead: number
  /** How many of the agents are killed and started again, from 0 to 1. */
  readonly churn: number
  /** Agents that start later, of those in `agents`. */
  readonly late: number
  readonly lateAfterSeconds: number
  /** Networks that the agents are spread over, each behind one uplink; 0 is none. */
  readonly groups: number
  readonly groupLink: LinkSpeed
  /** No peers at all: the origin is a web server only. */
  readonly httpOnly: boolean
  /** Our agents leave links to others, as they do unless their owner says otherwise. */
  readonly yields: boolean
}

export interface LabOptions {
  readonly scenario: Scenario
  readonly contestants: readonly ContestantName[]
  readonly runs: number
  /** Of one contestant's run; undefined is in proportion to the bound. */
  readonly timeoutSeconds: number | undefined
  readonly json: string | undefined
  /** Folder for CPU profiles of our agents. */
  readonly profile: string | undefined
  readonly help: boolean
}

const MIB = 1024 * 1024
const MEGABIT = 1_000_000

export const USAGE = `npm run bench:swarm -- [options]

One scenario in network namespaces with shaped links, run with each contestant in turn: our swarm, libtorrent, aria2,
plain HTTP. Needs root and iproute2; removes everything that it made, also after Ctrl-C.

  --agents N          machines that download (8)         --seeds N       machines that have everything already (0)
  --up, --down R      their links, Mbit/s (50, 100)      --poisoners N   peers that send wrong blocks (0)
  --origin R          the origin's link, Mbit/s (50)     --dead N        addresses where nobody answers (0)
  --scale X           multiplies all speeds (1)          --churn P       per cent of the agents killed once (0)
  --size M            MiB (64)                           --late N        of the agents, start later (0)
  --piece-length K    KiB (as a publisher chooses)       --late-after S  by so many seconds (5)
  --groups N          LANs of agents, each behind one uplink (0)
  --group-up, --group-down R   that uplink, Mbit/s (10, 20)
  --http-only         no peers: the origin is a web server only
  --yields            our agents leave links to others, as they do unless their owner says otherwise

  --only A,B          of ${CONTESTANTS.join(', ')}
  --runs N            each contestant so often, turn about; medians are printed (1)
  --timeout S         of one run (15 times the bound, a minute at least)
  --json FILE         the same figures, and those of each agent
  --profile FOLDER    CPU profiles of our agents (.cpuprofile: Chrome and VS Code open them)

Exit codes: 0 done, 2 an option is wrong, 8 not root or without iproute2, 130 interrupted.
Example: npm run bench:swarm -- --scale 0.2 --agents 8 --runs 3
`

const NUMBERS = {
  agents: { default: 8, min: 1, max: 64, whole: true },
  up: { default: 50, min: 0.1, max: 10_000 },
  down: { default: 100, min: 0.1, max: 10_000 },
  origin: { default: 50, min: 0.1, max: 10_000 },
  scale: { default: 1, min: 0.001, max: 100 },
  size: { default: 64, min: 0.0625, max: 4_096 },
  'piece-length': { default: 0, min: 16, max: 16_384, whole: true },
  seeds: { default: 0, min: 0, max: 32, whole: true },
  poisoners: { default: 0, min: 0, max: 64, whole: true },
  dead: { default: 0, min: 0, max: 64, whole: true },
  churn: { default: 0, min: 0, max: 100 },
  late: { default: 0, min: 0, max: 63, whole: true },
  'late-after': { default: 5, min: 0, max: 3_600 },
  groups: { default: 0, min: 0, max: 16, whole: true },
  'group-up': { default: 10, min: 0.1, max: 10_000 },
  'group-down': { default: 20, min: 0.1, max: 10_000 },
  runs: { default: 1, min: 1, max: 100, whole: true },
  timeout: { default: 0, min: 1, max: 86_400 },
} as const satisfies Record<string, { default: number; min: number; max: number; whole?: true }>

type NumberName = keyof typeof NUMBERS
const NUMBER_NAMES = Object.keys(NUMBERS) as readonly NumberName[]

/** Errors: USAGE, naming every option that is wrong. */
export const parseOptions = (args: readonly string[]): LabOptions => {
  const values = readArguments(args)
  const faults: string[] = []

  const number = (name: NumberName): number => {
    const { default: preset, min, max, ...rest } = NUMBERS[name]
    const text = values[name]
    if (text === undefined) return preset
    const value = typeof text === 'string' && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max && (!('whole' in rest) || Number.isInteger(value))) return value
    faults.push(`--${name} is ${'whole' in rest ? 'a whole number' : 'a number'} from ${min} to ${max}, not ${text}`)
    return preset
  }

  const scale = number('scale')
  const speed = (name: NumberName): number => number(name) * scale * MEGABIT
  const sizeBytes = Math.round(number('size') * MIB)
  const pieceLength = number('piece-length') * 1024 || pieceLengthFor(sizeBytes)
  if (!Number.isInteger(Math.log2(pieceLength))) faults.push('--piece-length is a power of two')
  const scenario: Scenario = {
    sizeBytes,
    pieceLength,
    origin: { up: speed('origin'), down: speed('origin') },
    agents: number('agents'),
    link: { up: speed('up'), down: speed('down') },
    seeds: number('seeds'),
    poisoners: number('poisoners'),
    dead: number('dead'),
    churn: number('churn') / 100,
    late: number('late'),
    lateAfterSeconds: number('late-after'),
    groups: number('groups'),
    groupLink: { up: speed('group-up'), down: speed('group-down') },
    httpOnly: values['http-only'] === true,
    yields: values.yields === true,
  }
  if (scenario.late >= scenario.agents) faults.push(`--late ${scenario.late} leaves no agent that starts at once`)
  if (scenario.groups > scenario.agents) faults.push(`--groups ${scenario.groups} leaves groups without an agent`)
  if (scenario.httpOnly && scenario.seeds + scenario.poisoners > 0) {
    faults.push('--http-only has neither --seeds nor --poisoners')
  }

  const timeout = number('timeout')
  const runs = number('runs')
  const contestants = namesOf(values.only, faults)
  if (faults.length > 0) {
    throw new UpdateError('USAGE', faults.join('; '), { hint: 'npm run bench:swarm -- --help lists the options' })
  }
  return {
    scenario,
    contestants,
    runs,
    timeoutSeconds: timeout === 0 ? undefined : timeout,
    json: textOf(values.json),
    profile: textOf(values.profile),
    help: values.help === true,
  }
}

const textOf = (value: string | boolean | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

const readArguments = (args: readonly string[]): Readonly<Record<string, string | boolean | undefined>> => {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const options = {
    ...Object.fromEntries(NUMBER_NAMES.map((name) => [name, text])),
    only: text,
    json: text,
    profile: text,
    'http-only': flag,
    yields: flag,
    help: flag,
  }
  try {
    return parseArgs({ args: [...args], options, strict: true }).values as Record<string, string | boolean>
  } catch (error) {
    throw new UpdateError('USAGE', (error as Error).message, {
      cause: error,
      hint: 'npm run bench:swarm -- --help lists the options',
    })
  }
}

const namesOf = (only: string | boolean | undefined, faults: string[]): readonly ContestantName[] => {
  if (typeof only !== 'string') return CONTESTANTS
  const wanted = only.split(',')
  const unknown = wanted.filter((name) => !CONTESTANTS.some((known) => known === name))
  if (unknown.length > 0) faults.push(`--only takes ${CONTESTANTS.join(', ')}, not ${unknown.join(', ')}`)
  return CONTESTANTS.filter((name) => wanted.includes(name))
}
