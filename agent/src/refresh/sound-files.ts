// Which files of the cache are fit to be verified at all. The policy says the same of the same bytes every time, so it is asked
// once for each: with a thousand products that is a quarter of a refresh in which nothing is new.
import { createHash } from 'node:crypto'
import { type Metadata, parseMetadata } from '@updraft/core/trust/metadata'
import { checkMetadata } from '@updraft/core/trust/policy'
import type { MetadataFiles } from './cache.ts'
import { roleOfFile } from './file-names.ts'

/** Roots after the pinned one, and files that keep the policy. */
export const soundFiles = (files: MetadataFiles, rootBytes: Buffer, anyNames: boolean): MetadataFiles => {
  const pinnedVersion = versionOf(rootBytes)
  return new Map(
    [...files].filter(([name, bytes]) => {
      const { role, version } = roleOfFile(name) ?? {}
      if (role === undefined || (role === 'root') !== (version !== undefined)) return false
      if (role === 'root' && (version ?? 0) <= pinnedVersion) return false
      return keepsPolicy(role, bytes, anyNames)
    }),
  )
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
