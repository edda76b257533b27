// The shape of each kind of metadata file: which fields, of which type, in which form. Unknown fields are left alone, as
// TUF asks; unknown top-level roles are not.
import * as z from 'zod'
import { LIMITS } from '../../limits.ts'
import type { SignedRoot, SignedSnapshot, SignedTargets, SignedTimestamp } from '../metadata.ts'
import type { PolicyFault } from '../policy.ts'

/** A file of the right shape, by its kind. */
export type Shaped =
  | { readonly kind: 'root'; readonly signed: SignedRoot }
  | { readonly kind: 'timestamp'; readonly signed: SignedTimestamp }
  | { readonly kind: 'snapshot'; readonly signed: SignedSnapshot }
  | { readonly kind: 'targets'; readonly signed: SignedTargets }

export const shapeFaults = (
  role: string,
  json: unknown,
): Shaped | { kind: 'faults'; faults: readonly PolicyFault[] } => {
  switch (role) {
    case 'root':
      return shaped(role, rootFile, json)
    case 'timestamp':
      return shaped(role, timestampFile, json)
    case 'snapshot':
      return shaped(role, snapshotFile, json)
    default:
      return shaped('targets', targetsFile, json)
  }
}

const shaped = <Kind extends Shaped['kind'], Signed>(
  kind: Kind,
  schema: z.ZodType<{ signed: Signed }>,
  json: unknown,
): { kind: Kind; signed: Signed } | { kind: 'faults'; faults: readonly PolicyFault[] } => {
  const result = schema.safeParse(json)
  if (result.success) return { kind, signed: result.data.signed }
  const faults = result.error.issues.map(({ path, message }) => ({ place: path.join('.') || 'file', message }))
  return { kind: 'faults', faults }
}

const EXPIRES = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

/** The 30th of February has the form of a date and is none. */
const isRealTime = (value: string): boolean => {
  const time = new Date(value)
  return !Number.isNaN(time.getTime()) && time.toISOString() === value.replace('Z', '.000Z')
}

const version = z.int().min(1)
const keyId = z.string().regex(/^[0-9a-f]{64}$/, 'is not a key id of 64 lower-case hex digits')

const common = {
  /** Major version 1 of the specification; a client must refuse another. Source: TUF 4.3 (SPEC_VERSION). */
  spec_version: z.string().regex(/^1\.\d{1,4}(\.\d{1,4})?$/, 'is not version 1 of the TUF specification'),
  version,
  expires: z
    .string()
    .regex(EXPIRES, 'is not of the form YYYY-MM-DDTHH:MM:SSZ')
    .refine(isRealTime, 'is not a date of the calendar'),
}

const key = z.looseObject({
  keytype: z.string(),
  scheme: z.string(),
  keyval: z.strictObject({ public: z.string() }),
})
const keys = z.record(keyId, key)

const role = z.looseObject({
  keyids: z.array(keyId).min(1).max(LIMITS.roleKeysMax),
  threshold: z.int().min(1),
})

const hashes = z
  .strictObject({
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'is not a SHA-256 in lower-case hex')
      .optional(),
    sha512: z
      .string()
      .regex(/^[0-9a-f]{128}$/, 'is not a SHA-512 in lower-case hex')
      .optional(),
  })
  .refine((all) => Object.keys(all).length > 0, 'contains no hash at all')

const metaFile = z.looseObject({ version, length: z.int().min(1).optional(), hashes: hashes.optional() })

const target = z.looseObject({ length: z.int().min(0), hashes, custom: z.looseObject({}).optional() })

const delegatedRole = role.extend({
  name: z.string().min(1),
  terminating: z.boolean(),
  paths: z.array(z.string()).min(1, 'delegates no path'),
  path_hash_prefixes: z.undefined('delegation by hash prefixes is not accepted').optional(),
})

const delegations = z.looseObject({
  keys,
  roles: z.array(delegatedRole).max(LIMITS.delegatedRolesMax),
  succinct_roles: z.undefined('delegation to hash bins is not accepted').optional(),
})

const atMost = (max: number, what: string) =>
  [(all: object) => Object.keys(all).length <= max, `lists more than ${max} ${what}`] as const

const file = <Signed extends z.ZodType>(signed: Signed) =>
  z.looseObject({
    signed,
    signatures: z
      .array(z.looseObject({ keyid: z.string(), sig: z.string() }))
      .max(LIMITS.signaturesMax)
      // TUF 4.2.1: key ids are unique among the signatures.
      .refine(
        (all) => new Set(all.map(({ keyid }) => keyid)).size === all.length,
        'two signatures name the same key id',
      ),
  })

const rootFile = file(
  z.looseObject({
    _type: z.literal('root'),
    ...common,
    consistent_snapshot: z.literal(true, 'is not true: files would change under the eyes of readers'),
    keys,
    roles: z.strictObject({ root: role, timestamp: role, snapshot: role, targets: role }),
  }),
)

const timestampFile = file(
  z.looseObject({ _type: z.literal('timestamp'), ...common, meta: z.strictObject({ 'snapshot.json': metaFile }) }),
)

const snapshotFile = file(
  z.looseObject({
    _type: z.literal('snapshot'),
    ...common,
    meta: z.record(z.string(), metaFile).refine(...atMost(LIMITS.delegatedRolesMax + 1, 'files')),
  }),
)

const targetsFile = file(
  z.looseObject({
    _type: z.literal('targets'),
    ...common,
    targets: z.record(z.string(), target).refine(...atMost(LIMITS.targetsMax, 'targets')),
    delegations: delegations.optional(),
  }),
)
