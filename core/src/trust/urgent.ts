// Which releases machines may have before the age that their owners ask for, as the role `urgent` signs it: a role that targets
// delegates to like to a product, with keys of its own, no target, and this list as a field of its own beside the others. TUF
// clients that do not know it pass over the field, and never come to the role: no path of theirs leads there.
import * as z from 'zod'
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { type ReleaseName, URGENT_ROLE } from '../names.ts'

export const URGENT_SCHEMA = 1

const entrySchema = z.object({
  product: z.string().max(LIMITS.productLengthMax),
  version: z.string().max(LIMITS.versionLengthMax),
  platform: z.string().max(LIMITS.platformLengthMax),
  /** SHA-256 of the index: what is urgent is this content, and no other under the same name. */
  index: z.string().regex(/^[0-9a-f]{64}$/),
})

const urgentSchema = z.object({
  schema: z.literal(URGENT_SCHEMA),
  releases: z.array(entrySchema).max(LIMITS.urgentReleasesMax).readonly(),
})

/** As it stands in JSON. */
export type UrgentList = Readonly<z.output<typeof urgentSchema>>
export type UrgentRelease = Readonly<z.output<typeof entrySchema>>

/**
 * The field `urgent` of the role's metadata; a role without it calls nothing urgent.
 *
 * Errors: METADATA_POLICY with every fault.
 */
export const parseUrgent = (value: unknown): UrgentList => {
  const faults = urgentFaults(value)
  if (faults.length === 0) return value === undefined ? { schema: URGENT_SCHEMA, releases: [] } : (value as UrgentList)
  throw new UpdateError('METADATA_POLICY', `the list of the role ${URGENT_ROLE} is malformed: ${faults.join('; ')}`)
}

/** What is wrong with the field, each with its place. */
export const urgentFaults = (value: unknown): readonly string[] => {
  if (value === undefined) return []
  const { error } = urgentSchema.safeParse(value)
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`)
}

/** Whether `list` names this release with this content. */
export const isListedUrgent = ({ releases }: UrgentList, release: ReleaseName, indexSha256: string): boolean =>
  releases.some((entry) => entry.index === indexSha256 && isSameName(entry, release))

type Name = Omit<UrgentRelease, 'index'>

export const isSameName = (a: Name, b: Name): boolean =>
  a.product === b.product && a.version === b.version && a.platform === b.platform
