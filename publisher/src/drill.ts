// A rehearsal of a lost or stolen key, on a copy of the repository and with the real keys: what is found missing today is not
// found missing on the day it counts. The repository itself is only read.
import { mkdir, rm, rmdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { readFileIfThere } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import type { SignedCommon } from '@updraft/core/trust/metadata'
import { isSignedBy } from '@updraft/core/trust/signatures'
import { type ClientState, type MetadataReader, pinRoot, refreshClient } from './drill/client.ts'
import { copyRepository } from './drill/copy-repository.ts'
import { noteFingerprint } from './keys/keys-directory.ts'
import type { KeySource } from './keys/signer.ts'
import { layoutOf, metadataFileName } from './repository/layout.ts'
import { demandOf, keyInDelegator } from './repository/signatures.ts'
import { openRepository, type Repository } from './repository.ts'
import { type NewKeyOptions, type Rotated, revocation, rotate } from './rotate.ts'

export interface DrillRequest {
  readonly repository: string
  /** Where the copy goes. */
  readonly out: string
  /** The beginning of the id of the key that is lost or stolen. */
  readonly key: string
  /** A stolen key is still here, and in other hands as well; a lost one is not used. */
  readonly what: 'lost' | 'stolen'
}

export interface DrillOptions {
  readonly keys: KeySource
  /** How the key is kept that takes the place; `directory` is that of the copy. */
  readonly replacement: NewKeyOptions
  readonly now: Date
  /** Told as each step has been done. */
  readonly onStep?: ((step: DrillStep) => void) | undefined
}

export interface DrillStep {
  readonly step: 'copy' | 'before' | 'theft' | 'revoke' | 'old machines' | 'new machines' | 'thief'
  readonly detail: string
}

export interface Drill {
  readonly out: string
  readonly steps: readonly DrillStep[]
  readonly rotated: Rotated
}

/**
 * Errors: those of `rotate`, above all KEY_MISSING: then the keys that recovery takes are not where they should be;
 *         METADATA_UNTRUSTED and its like if machines would not follow; REPOSITORY_EXISTS, DISK_FULL, PERMISSION, IO.
 */
export const drill = async (
  request: DrillRequest,
  { keys, replacement, now, onStep }: DrillOptions,
): Promise<Drill> => {
  const { what, key } = request
  const out = resolve(request.out)
  const steps: DrillStep[] = []
  const done = (step: DrillStep['step'], detail: string): void => {
    steps.push({ step, detail })
    onStep?.({ step, detail })
  }

  const original = await openRepository(request.repository, { fingerprints: await keys.rootFingerprints() })
  const [edit, ...more] = revocation(original, { key, replacements: [] })
  const keyId = edit?.remove[0] ?? ''
  const roles = [edit, ...more].flatMap((one) => one?.role ?? [])
  await using undo = new AsyncDisposableStack()
  await copyRepository(original.directory, out)
  undo.defer(() => rm(out, { recursive: true, force: true }))
  if ((await mkdir(replacement.directory, { recursive: true, mode: 0o700 })) !== undefined) {
    undo.defer(() => rmdir(replacement.directory))
  }
  undo.use(await noteFingerprint(replacement.directory, original.fingerprint))
  done('copy', `${out} is a copy; everything from here on happens to it`)

  const read = readerOf(out)
  const machines = await machinesOf(original, read, now)
  done('before', `machines with the first root and with the newest follow to ${versionsText(machines.oldest)}`)

  const thief = what === 'stolen' ? await openThief(keys, keyId) : undefined
  if (thief !== undefined) {
    done(
      'theft',
      `the key ${keyId.slice(0, 8)} of ${roles.join(', ')} is in other hands, and can sign ${await powerOf(thief, roles, original)}`,
    )
  }

  const available: KeySource = what === 'lost' ? without(keys, keyId) : keys
  const edits = (repository: Repository) => revocation(repository, { key: keyId, replacements: [] })
  const rotated = await rotate(out, edits, { keys: available, now, replace: replacement })
  done('revoke', `${keyId.slice(0, 8)} is taken away from ${roles.join(', ')}, and replaced`)

  const after = await openRepository(out)
  const followed = await refreshClient(machines.oldest, read, now)
  assertSame(followed, after)
  if (thief !== undefined && (await isEnough(thief, 'timestamp', original))) {
    assertSame(await refreshClient(deceived(machines.oldest), read, now), after)
  }
  done('old machines', `that had accepted what was before follow to ${versionsText(followed)}`)
  const fresh = await refreshClient(pinRoot(after.edition.root.bytes), read, now)
  assertSame(fresh, after)
  assertSame(await refreshClient(pinRoot(after.edition.roots[0].bytes), read, now), after)
  done('new machines', 'that pin the first root, or the newest, come to the same')

  if (thief !== undefined) {
    for (const role of roles) await assertPowerless(thief, role, after)
    done('thief', `whatever ${keyId.slice(0, 8)} signs for ${roles.join(', ')} counts no longer`)
  }
  undo.move()
  return { out, steps, rotated }
}

/** A machine that the thief has shown a version far ahead (fast-forward), so that it would take the next ones for old. */
const deceived = ({ timestamp, ...state }: ClientState): ClientState => {
  if (timestamp === undefined) throw new TypeError('a machine that was never refreshed')
  const signed = { ...timestamp.signed, version: timestamp.signed.version + FAST_FORWARD }
  return { ...state, timestamp: { ...timestamp, signed } }
}

const FAST_FORWARD = 1_000_000

interface Thief {
  readonly keyId: string
  sign(signed: SignedCommon): Promise<{ keyid: string; sig: string }>
}

const openThief = async (keys: KeySource, keyId: string): Promise<Thief> => {
  const signer = await keys.open(keyId)
  if (signer === undefined) {
    throw new UpdateError('KEY_MISSING', `the key ${keyId} is not in ${keys.description}`, {
      hint: 'a theft can be rehearsed only with a key that is here; for one that is not, say --lost',
    })
  }
  return { keyId, sign: async (signed) => ({ keyid: keyId, sig: await signer.sign(canonicalBytes(signed)) }) }
}

/** Signs the next version of the role's file, as a thief would, and sees whether that is enough. */
const isEnough = async (thief: Thief, role: string, { edition }: Repository): Promise<boolean> => {
  const { root, targets, products, snapshot, timestamp } = edition
  const files: Readonly<Record<string, { readonly metadata: { readonly signed: SignedCommon } }>> = {
    ...{ root, targets, snapshot, timestamp },
    ...Object.fromEntries(products),
  }
  const before = files[role]?.metadata.signed
  const delegator = products.has(role) ? targets.metadata.signed : root.metadata.signed
  const demand = demandOf(delegator, role)
  if (before === undefined || demand === undefined) throw new TypeError(`no role ${role}`)
  const signed = { ...before, version: before.version + FAST_FORWARD }
  const keys = Object.fromEntries(
    demand.keyids.flatMap((id) => {
      const key = keyInDelegator(delegator, id)
      return key === undefined ? [] : [[id, key]]
    }),
  )
  return isSignedBy({ signed, signatures: [await thief.sign(signed)] }, { role: demand, keys })
}

const powerOf = async (thief: Thief, roles: readonly string[], repository: Repository): Promise<string> => {
  const alone = []
  for (const role of roles) if (await isEnough(thief, role, repository)) alone.push(role)
  return alone.length === 0 ? 'nothing alone' : `${alone.join(', ')} alone`
}

const assertPowerless = async (thief: Thief, role: string, repository: Repository): Promise<void> => {
  if (!(await isEnough(thief, role, repository))) return
  throw new UpdateError('METADATA_UNTRUSTED', `the key ${thief.keyId} still counts for ${role}`)
}

const without = (keys: KeySource, lost: string): KeySource => ({
  ...keys,
  open: async (keyId) => (keyId === lost ? undefined : await keys.open(keyId)),
})

const readerOf = (directory: string): MetadataReader => {
  const { metadata } = layoutOf(directory)
  return (name) => readFileIfThere(join(metadata, name), LIMITS.targetsLengthBytes)
}

/** A machine that has followed from the first root on, and one whose owner pinned the newest: both see the same. */
const machinesOf = async (
  repository: Repository,
  read: MetadataReader,
  now: Date,
): Promise<{ readonly oldest: ClientState }> => {
  const first = await read(metadataFileName('root', 1))
  if (first === undefined) throw new TypeError('a repository without its first root')
  const oldest = await refreshClient(pinRoot(first), read, now)
  assertSame(oldest, repository)
  assertSame(await refreshClient(pinRoot(repository.edition.root.bytes), read, now), repository)
  return { oldest }
}

const assertSame = ({ versions }: ClientState, { roles }: Repository): void => {
  for (const { role, metadataVersion } of roles) {
    if (versions[role] === metadataVersion) continue
    throw new UpdateError(
      'METADATA_UNTRUSTED',
      `a machine would stay at ${role} ${versions[role]}, not ${metadataVersion}`,
    )
  }
}

const versionsText = ({ versions }: ClientState): string =>
  Object.entries(versions)
    .map(([role, version]) => `${role} ${version}`)
    .join(', ')
