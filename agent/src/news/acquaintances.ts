// Machines that run Updraft and were met before, for when nobody else can be asked. Kept over a restart in a file whose loss
// does no harm: what stands in it is where to call, and never a reason to believe anybody.
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { parseEndpoint } from '@updraft/core/swarm/peers/addresses'
import * as z from 'zod'

export interface Acquaintances {
  /** Notes a machine; `wasOfUse` if something true came from it. */
  met(address: string, wasOfUse?: boolean): void
  /** It did not answer. */
  missed(address: string): void
  /** What it gave was wrong. */
  forget(address: string): void
  /** Those that were of use first, then the others by chance. */
  all(): readonly string[]
  /** Writes what has changed. Errors: DISK_FULL, PERMISSION, IO. */
  save(): Promise<void>
}

interface Acquaintance {
  readonly wasOfUse: boolean
  readonly missed: number
}

/** Enough to find somebody, and a stranger that names thousands pushes out nobody that was of use. */
const ACQUAINTANCES_MAX = 64
const MISSED_MAX = 8
const FILE_LENGTH_BYTES = 64 * 1024

/** Errors: PERMISSION, IO. A file that is damaged counts as none. */
export const openAcquaintances = async (path: string, random: () => number): Promise<Acquaintances> => {
  const known = new Map<string, Acquaintance>()
  let isSaved = true
  for (const { address, wasOfUse } of await read(path)) known.set(address, { wasOfUse, missed: 0 })

  const dropOne = (): void => {
    const [stranger] = [...known].filter(([, { wasOfUse }]) => !wasOfUse)
    const gone = stranger?.[0] ?? known.keys().next().value
    if (gone !== undefined) known.delete(gone)
  }

  return {
    met: (address, wasOfUse = false) => {
      if (parseEndpoint(address) === undefined) return
      const before = known.get(address)
      if (before !== undefined && before.missed === 0 && before.wasOfUse === (before.wasOfUse || wasOfUse)) return
      known.set(address, { wasOfUse: wasOfUse || before?.wasOfUse === true, missed: 0 })
      if (known.size > ACQUAINTANCES_MAX) dropOne()
      isSaved = false
    },
    missed: (address) => {
      const before = known.get(address)
      if (before === undefined) return
      if (before.missed + 1 >= MISSED_MAX) known.delete(address)
      else known.set(address, { ...before, missed: before.missed + 1 })
      isSaved = false
    },
    forget: (address) => {
      if (known.delete(address)) isSaved = false
    },
    all: () =>
      [...known]
        .map(([address, { wasOfUse }]) => ({ address, order: (wasOfUse ? 0 : 1) + random() }))
        .sort((a, b) => a.order - b.order)
        .map(({ address }) => address),
    save: async () => {
      if (isSaved) return
      isSaved = true
      const peers = [...known].map(([address, { wasOfUse }]) => ({ address, wasOfUse }))
      await writeFileAtomic(path, `${JSON.stringify({ version: 1, peers }, undefined, 2)}\n`, { mode: 0o600 })
    },
  }
}

const fileSchema = z.object({
  version: z.literal(1),
  peers: z.array(z.object({ address: z.string().max(300), wasOfUse: z.boolean() })).max(ACQUAINTANCES_MAX),
})

const read = async (path: string): Promise<z.output<typeof fileSchema>['peers']> => {
  const bytes = await readFileIfThere(path, FILE_LENGTH_BYTES).catch(() => undefined) // Too long, or unreadable.
  try {
    return bytes === undefined ? [] : fileSchema.parse(JSON.parse(bytes.toString('utf8'))).peers
  } catch {
    return [] // Damaged: machines are met again.
  }
}
