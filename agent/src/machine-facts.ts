// The one place that looks at the machine for a plan: clock, time zone, power, connection, load, disk, and the machine's own
// random id. What a system does not tell stays undefined; none of it is ever sent anywhere.
import { randomBytes } from 'node:crypto'
import { lstat, readdir, readFile, statfs } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import type { Home } from '@updraft/core/control/home'
import { hasCode } from '@updraft/core/errors'
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { readMetered } from './machine-facts/metered.ts'
import type { MachineFacts } from './plan/facts.ts'
import type { MeteredSetting } from './settings/metered.ts'
import type { ProgramCommand } from './settings/program.ts'

export interface FactsOptions {
  /** Where Linux tells of batteries and chargers. */
  readonly powerSupplies?: string
  /** Where it is known from whether the connection is metered; undefined asks nobody. */
  readonly metered?: MeteredSetting | undefined
  /** Who asks, for looks at several products may come at the same time. */
  readonly asker?: string
  readonly askNetworkManager?: ProgramCommand
}

/** Errors: DISK_FULL, PERMISSION, IO, of the machine's id only. */
export const readMachineFacts = async (
  { stateDirectory, dataDirectory }: Pick<Home, 'stateDirectory' | 'dataDirectory'>,
  now: Date,
  { powerSupplies = '/sys/class/power_supply', metered, asker = '', ...asking }: FactsOptions = {},
): Promise<MachineFacts> => ({
  now,
  /** Only where a window asks: the tables behind it take 4.5 MiB for as long as the agent runs. */
  get timeZone() {
    return Intl.DateTimeFormat().resolvedOptions().timeZone
  },
  machineId: await readMachineId(stateDirectory),
  onBattery: await readOnBattery(powerSupplies),
  metered:
    metered === undefined
      ? undefined
      : await readMetered({ setting: metered, mark: `metered ${stateDirectory} ${asker}`, ...asking }),
  load: readLoad(),
  freeBytes: await readFreeBytes(dataDirectory),
  stagedBytes: await readStagedBytes(join(dataDirectory, 'staging')),
})

const MACHINE_ID = 'machine-id'

/**
 * The id that cohorts are made of, made when it is first asked for. One that cannot be understood is replaced: only the place in
 * later rollouts depends on it.
 */
const readMachineId = async (stateDirectory: string): Promise<string> => {
  const path = join(stateDirectory, MACHINE_ID)
  const text = await readFileIfThere(path, 1_024).catch((error: unknown) => {
    if (hasCode(error, 'LIMIT_EXCEEDED')) return undefined // Not what was written.
    throw error
  })
  const known = /^[0-9a-f]{64}\n$/.test(text?.toString('latin1') ?? '') ? text?.toString('latin1').trimEnd() : undefined
  if (known !== undefined) return known
  const made = randomBytes(32).toString('hex')
  await writeFileAtomic(path, `${made}\n`, { mode: 0o600 })
  return made
}

/**
 * On battery is a machine of which a battery is being emptied and nothing else feeds it. Batteries of mice and the like count not.
 *
 * Source: Linux, Documentation/ABI/testing/sysfs-class-power.
 */
const readOnBattery = async (directory: string): Promise<boolean | undefined> => {
  const names = await readdir(directory).catch(() => undefined) // Not Linux, or a container without it.
  if (names === undefined) return undefined
  const supplies = await Promise.all(
    names.map(async (name) => {
      const read = (file: string) =>
        readFile(join(directory, name, file), 'utf8').then(
          (text) => text.trim(),
          () => '',
        )
      return {
        type: await read('type'),
        scope: await read('scope'),
        online: await read('online'),
        status: await read('status'),
      }
    }),
  )
  const ofMachine = supplies.filter(({ scope }) => scope !== 'Device')
  if (ofMachine.some(({ type, online }) => type !== 'Battery' && online === '1')) return false
  return ofMachine.some(({ type, status }) => type === 'Battery' && status === 'Discharging')
}

/** Windows knows no load average, and says 0. */
const readLoad = (): number | undefined => {
  if (process.platform === 'win32') return undefined
  const [overOneMinute] = loadavg()
  return overOneMinute === undefined ? undefined : overOneMinute / availableParallelism()
}

const readFreeBytes = async (directory: string): Promise<number | undefined> => {
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  } catch {
    return undefined // Whoever writes there will say why.
  }
}

/** By blocks and not by length: a pack that is being fetched has holes. */
const readStagedBytes = async (staging: string): Promise<ReadonlyMap<string, number>> => {
  const names = await readdir(staging).catch(() => []) // Nothing was ever fetched.
  const counted = names.map(async (name) => {
    const sizes = ['index', 'pack'].map((file) => blockBytesOf(join(staging, name, name, file)))
    return [name, (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0)] as const
  })
  return new Map(await Promise.all(counted))
}

/** POSIX counts blocks of 512 bytes, whatever those of the file system are. */
const blockBytesOf = async (path: string): Promise<number> => {
  try {
    return (await lstat(path)).blocks * 512
  } catch {
    return 0 // Not there yet, or gone since.
  }
}
