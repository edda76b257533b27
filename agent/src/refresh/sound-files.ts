// Which files of the cache are fit to be verified at all. The policy says the same of the same bytes every time, so it is asked
// once for each: with a thousand products that is a quarter of a refresh in which nothing is new.
import { createHash } from 'node:crypto'
import { takeTurns } from '@updraft/core/bundle/turns'
import { type Metadata, parseMetadata } from '@updraft/core/trust/metadata'
import { checkMetadata } from '@updraft/core/trust/policy'
import type { MetadataFiles } from './cache.ts'
import { roleOfFile } from './file-names.ts'

/** Roots after the pinned one, and files that keep the policy. Errors: ABORTED. */
export const soundFiles = async (
  files: MetadataFiles,
  rootBytes: Buffer,
  { anyNames, signal }: { readonly anyNames: boolean; readonly signal?: AbortSignal | undefined },
): Promise<MetadataFiles> => {
  const pinnedVersion = versionOf(rootBytes)
  const turn = takeTurns(signal)
  const sound = new Map<string, Buffer>()
  for (const [name, bytes] of files) {
    await turn()
    const { role, version } = roleOfFile(name) ?? {}
    if (role === undefined || (role === 'root') !== (version !== undefined)) continue
    if (role === 'root' && (version ?? 0) <= pinnedVersion) continue
    if (keepsPolicy(role, bytes, anyNames)) sound.set(name, bytes)
  }
  return sound
}

/** Digests of what kept the policy, the latest last. A set of digests weighs nothing beside the files. */
const kept = new Set<string>()
const KEPT_MAX = 4_096

const keepsPolicy = (role: string, bytes: Buffer, anyNames: boolean): boolean => {
  const digest = createHash('sha256').update(`${role} ${anyNames} `).update(bytes).digest('base64')
  if (kept.has(digest)) return true
  try {
    if (checkMetadata(role, parseMetadata(bytes, role), { received: true, anyNames }).length > 0) return false
  } catch {
    return false // Torn or altered: the same as missing.
  }
  kept.add(digest)
  for (const oldest of kept) {
    if (kept.size <= KEPT_MAX) break
    kept.delete(oldest)
  }
  return true
}

const versionOf = (rootBytes: Buffer): number => {
  try {
    return (parseMetadata(rootBytes, 'the pinned root') as Metadata).signed.version
  } catch {
    return 0 // Opening the session says what is wrong with it.
  }
}
