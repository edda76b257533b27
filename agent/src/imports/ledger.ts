// Which files of an import folder were dealt with: without it an older one would be refused as a rollback at every start, and
// raise a finding. Only a memory: losing it does no harm.
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import * as z from 'zod'

export interface Ledger {
  /** `identity` changes whenever the file does. */
  has(path: string, identity: string): boolean
  /** Errors: DISK_FULL, PERMISSION, IO. */
  add(path: string, identity: string): Promise<void>
}

/** The oldest are forgotten first. */
const FILES_MAX = 4_096
const LENGTH_BYTES = 32 * 1024 * 1024

/** Errors: LIMIT_EXCEEDED, PERMISSION, IO. */
export const openLedger = async (path: string): Promise<Ledger> => {
  const seen = new Map(parseLedger(await readFileIfThere(path, LENGTH_BYTES)))
  return {
    has: (file, identity) => seen.get(file) === identity,
    add: async (file, identity) => {
      seen.delete(file)
      seen.set(file, identity)
      for (const oldest of seen.keys()) if (seen.size > FILES_MAX) seen.delete(oldest)
      await writeFileAtomic(path, JSON.stringify([...seen]), { mode: 0o600 })
    },
  }
}

const ledgerSchema = z.array(z.tuple([z.string(), z.string()]))

const parseLedger = (bytes: Buffer | undefined): readonly [string, string][] => {
  try {
    return ledgerSchema.parse(JSON.parse(bytes?.toString('utf8') ?? '[]'))
  } catch {
    return [] // Damaged: the files are looked at once more.
  }
}
