// What a look at a repository amounts to: facts in, one line per check out, each with what to do. Pure; doctor.ts gathers
// the facts.
import { type ExitName, isUpdateError, messageOf } from '@updraft/core/errors'
import { URGENT_ROLE } from '@updraft/core/names'
import { count } from '@updraft/core/terminal/plain-text'
import { TOP_LEVEL_ROLES, type TufKey } from '@updraft/core/trust/metadata'
import { bySoonest } from '../origin/catalog.ts'
import { expiryProblems } from '../origin/expiry.ts'
import type { Repository, RoleState } from '../repository.ts'
import { certificateChecks } from './certificates.ts'

/** One thing that was looked at. An `error` stops updates, or will let a client refuse them; a `warning` may, later. */
export interface Check {
  readonly code: CheckCode
  readonly level: 'ok' | 'warning' | 'error'
  readonly detail: string
  /** What to do about it; empty if nothing. */
  readonly hint: string
  /** The file that it is about, if it is about one. Absolute. */
  readonly path?: string
}

/** One row for each kind of check: its title, and what a command ends with whose first error is of this kind. */
export const CHECKS = {
  repository: { title: 'the repository can be opened and all of its signatures hold', exit: 'input' },
  expiry: { title: 'no metadata has expired or expires soon', exit: 'untrusted' },
  threshold: { title: 'no single person can sign alone', exit: 'input' },
  'key-shared': { title: 'online keys sign nothing that is to be signed offline', exit: 'input' },
  urgent: { title: 'calling a release urgent takes other keys than releasing it', exit: 'input' },
  keys: { title: 'key files are encrypted, and offline keys are not on this machine', exit: 'input' },
  certificates: { title: 'certificates of those who sign are good, and do not expire soon', exit: 'untrusted' },
  'other-clients': { title: 'other TUF clients accept the metadata', exit: 'input' },
  bytes: { title: 'every file that was signed is there', exit: 'input' },
  leftovers: { title: 'nothing was left behind by a command that was killed', exit: 'input' },
  source: { title: 'the public address serves this repository', exit: 'unreachable' },
  tracker: { title: 'every tracker answers', exit: 'unreachable' },
} as const satisfies Record<string, { title: string; exit: ExitName }>

export type CheckCode = keyof typeof CHECKS

/** A file that was signed and cannot be had from this repository. */
export interface MissingBytes {
  readonly description: string
  readonly path: string
  readonly why: string
}

export interface KeyFile {
  readonly name: string
  readonly path: string
  readonly isEncrypted: boolean
}

/** What came of asking an address; undefined is that it answered as it should. */
export interface Asked {
  readonly url: string
  readonly fault: string | undefined
}

export interface Facts {
  readonly now: Date
  readonly repository: Repository
  readonly keyFiles: readonly KeyFile[]
  readonly missing: readonly MissingBytes[]
  readonly filesChecked: number
  readonly leftovers: readonly string[]
  /** Undefined if the network was not to be asked. */
  readonly sources: readonly Asked[] | undefined
  readonly trackers: readonly Asked[] | undefined
}

export const diagnose = (facts: Facts): readonly Check[] => [
  ok('repository', `${facts.repository.directory}, ${facts.repository.fingerprint}`),
  ...expiryChecks(facts),
  ...thresholdChecks(facts.repository),
  ...sharedKeyChecks(facts.repository),
  urgentCheck(facts.repository),
  ...keyFileChecks(facts.keyFiles),
  ...certificateChecks(facts.repository, facts.now),
  ...otherClientChecks(facts.repository),
  ...byteChecks(facts),
  ...leftoverChecks(facts.leftovers),
  ...askedChecks('source', facts.sources),
  ...askedChecks('tracker', facts.trackers),
]

const UNUSABLE = 'restore it from a backup; nothing can be published in it as it is'

/** All that can be said of a repository that does not open. */
export const unopened = (error: unknown): readonly Check[] => [
  {
    code: 'repository',
    level: 'error',
    detail: messageOf(error),
    hint: (isUpdateError(error) ? error.hint : undefined) ?? UNUSABLE,
  },
]

const ok = (code: CheckCode, detail: string): Check => ({ code, level: 'ok', detail, hint: '' })

const expiryChecks = ({ repository, now }: Facts): readonly Check[] => {
  const problems = expiryProblems(repository, now).map(
    ({ summary, detail, expired }): Check => ({
      code: 'expiry',
      level: expired ? 'error' : 'warning',
      detail: summary,
      hint: detail,
    }),
  )
  const [first] = bySoonest(repository)
  if (problems.length > 0 || first === undefined) return problems
  return [ok('expiry', `the first to expire is ${first.role}, at ${first.expires.toISOString()}`)]
}

/** Online roles have one key on one machine by their nature: what they can do is bounded by the others. */
const isOffline = ({ role }: RoleState): boolean => role !== 'snapshot' && role !== 'timestamp'

const thresholdChecks = ({ roles }: Repository): readonly Check[] => {
  const alone = roles.filter((state) => isOffline(state) && state.threshold === 1).map(({ role }) => role)
  if (alone.length === 0) return [ok('threshold', 'every offline role needs two signatures or more')]
  return [
    {
      code: 'threshold',
      level: 'warning',
      detail: `one key is enough to sign as ${alone.join(', ')}`,
      hint: 'whoever steals that key signs releases for every machine: let two people sign (rotate, with --threshold)',
    },
  ]
}

const sharedKeyChecks = ({ roles }: Repository): readonly Check[] => {
  const online = roles.filter((state) => !isOffline(state)).flatMap(({ keyIds }) => keyIds)
  const shared = roles.filter((state) => isOffline(state) && state.keyIds.some((id) => online.includes(id)))
  if (shared.length === 0) return [ok('key-shared', 'snapshot and timestamp have keys of their own')]
  return [
    {
      code: 'key-shared',
      level: 'error',
      detail: `a key of snapshot or timestamp signs as ${shared.map(({ role }) => role).join(', ')} as well`,
      hint: 'an online key lies on a machine that the world can reach: give these roles keys of their own',
    },
  ]
}

/** Whoever stole the keys of a product would take every machine at once, if no other role had a say in it. */
const urgentCheck = ({ roles, products, directory }: Repository): Check => {
  const urgent = roles.find(({ role }) => role === URGENT_ROLE)
  if (urgent === undefined) {
    return {
      code: 'urgent',
      level: 'warning',
      detail:
        'the keys of each product call its releases urgent: whoever steals them skips the minimum age of every machine',
      hint: `give that to others: updraft-publisher rotate urgent --new --repo ${directory}`,
    }
  }
  const both = products.filter((product) => {
    const own = roles.find(({ role }) => role === product)?.keyIds ?? []
    return urgent.keyIds.filter((keyId) => own.includes(keyId)).length >= urgent.threshold
  })
  if (both.length === 0)
    return ok('urgent', `${urgent.threshold} of ${count(urgent.keyIds.length, 'key')} of their own`)
  return {
    code: 'urgent',
    level: 'warning',
    detail: `keys of ${both.join(', ')} are enough to sign as urgent`,
    hint: 'give the role urgent keys that sign nothing else: rotate urgent --new',
  }
}

/** Roles whose keys are needed so seldom that they have no reason to lie beside the repository. */
const KEPT_AWAY = ['root', 'targets']

const keyFileChecks = (keyFiles: readonly KeyFile[]): readonly Check[] => {
  const open = keyFiles.filter(({ isEncrypted }) => !isEncrypted)
  const near = keyFiles.filter(({ name }) => KEPT_AWAY.some((role) => name.startsWith(`${role}-`)))
  return [
    ...open.map(
      ({ name, path }): Check => ({
        code: 'keys',
        level: 'warning',
        detail: `${name} is not encrypted`,
        hint: 'whoever can read the file can sign with it: encrypt it, or keep the key in a device',
        path,
      }),
    ),
    ...near.map(
      ({ name, path }): Check => ({
        code: 'keys',
        level: 'warning',
        detail: `${name} lies on this machine`,
        hint: 'move it to a medium that is connected only to sign with it',
        path,
      }),
    ),
    ...(open.length + near.length === 0 ? [ok('keys', `${count(keyFiles.length, 'key file')} looked at`)] : []),
  ]
}

/** Pairs that python-tuf, go-tuf, tuf-js and rust-tuf all verify. Source: TUF 4.2 (key objects). */
const KNOWN_TO_ALL: Readonly<Record<string, readonly string[]>> = {
  ed25519: ['ed25519'],
  ecdsa: ['ecdsa-sha2-nistp256'],
  rsa: ['rsassa-pss-sha256'],
}

/** Longer ones are refused by clients that keep to the limits of python-tuf: 512,000 and 5,000,000 bytes; 16,384 for the timestamp. */
const LENGTHS_MAX: Readonly<Record<string, number>> = { root: 512_000, timestamp: 16_384, snapshot: 2_000_000 }
const TARGETS_LENGTH_MAX = 5_000_000

/** Roots above the one that a client was shipped with that it is willing to walk. Source: python-tuf, `max_root_rotations`. */
const ROOTS_MAX = 256

const otherClientChecks = ({ edition }: Repository): readonly Check[] => {
  const { roots, root, targets, snapshot, timestamp, products } = edition
  const keys: readonly TufKey[] = [
    ...Object.values(root.metadata.signed.keys),
    ...Object.values(targets.metadata.signed.delegations?.keys ?? {}),
  ]
  const strange = keys.filter(({ keytype, scheme }) => !KNOWN_TO_ALL[keytype]?.includes(scheme))
  const long = [root, targets, snapshot, timestamp, ...products.values()].filter(
    ({ role, bytes }) => bytes.length > (LENGTHS_MAX[role] ?? TARGETS_LENGTH_MAX),
  )
  const faults = [
    ...strange.map(({ keytype, scheme }) => `a key is ${keytype} with ${scheme}, which not every client verifies`),
    ...long.map(({ role, bytes }) => `the ${role} metadata has ${bytes.length} bytes, more than other clients read`),
    ...(root.metadata.signed.consistent_snapshot ? [] : ['the root does not ask for consistent snapshots']),
    ...(roots.length > ROOTS_MAX
      ? [`there are ${roots.length} roots, and a client follows ${ROOTS_MAX} from the one that it has`]
      : []),
    ...(TOP_LEVEL_ROLES.every((role) => root.metadata.signed.roles[role].keyids.length > 0)
      ? []
      : ['a role has no key']),
  ]
  if (faults.length === 0) return [ok('other-clients', `${count(keys.length, 'key')}, ${count(roots.length, 'root')}`)]
  return faults.map((detail) => ({
    code: 'other-clients',
    level: 'warning',
    detail,
    hint: 'agents of Updraft are not concerned',
  }))
}

const SHOWN_MAX = 20

const byteChecks = ({ missing, filesChecked }: Facts): readonly Check[] => {
  if (missing.length === 0) return [ok('bytes', `${count(filesChecked, 'file')} are there`)]
  return missing.slice(0, SHOWN_MAX).map(({ description, path, why }, row) => ({
    code: 'bytes',
    level: 'error',
    detail:
      row === SHOWN_MAX - 1 && missing.length > SHOWN_MAX
        ? `${count(missing.length - row, 'file')} more are missing or damaged`
        : `${description}: ${why}`,
    hint: 'restore it from a backup or from a machine that seeds it, or yank the release',
    path,
  }))
}

const leftoverChecks = (leftovers: readonly string[]): readonly Check[] =>
  leftovers.length === 0
    ? [ok('leftovers', 'none')]
    : [
        {
          code: 'leftovers',
          level: 'warning',
          detail: `a command was killed, or still runs: ${leftovers.join(', ')}`,
          hint: 'the next command that signs takes it away',
        },
      ]

const askedChecks = (code: 'source' | 'tracker', asked: readonly Asked[] | undefined): readonly Check[] =>
  (asked ?? []).map(({ url, fault }) =>
    fault === undefined
      ? ok(code, `${url} answers`)
      : {
          code,
          level: 'error',
          detail: `${url}: ${fault}`,
          hint:
            code === 'tracker'
              ? 'machines still find each other by the other trackers; take it out of repository.json if it is gone for good'
              : 'serve the repository there, or change "url" in repository.json',
        },
  )
