// What a publisher signs about a release: the `custom` field of the index's TUF target. Parsed at the door, on both
// sides, by the same schema; nothing here knows where the bytes came from.
import { z } from 'zod'
import { UpdateError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { indexPathOf, metainfoPathOf, parseChannel, parsePlatform, parseProduct, parseReleaseVersion } from './names.ts'

/** Version of the payload. An agent refuses a newer one and says which agent it needs. */
export const RELEASE_SCHEMA = 1

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const sha1 = z.string().regex(/^[0-9a-f]{40}$/)
const lengthBytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const isoTime = z.iso.datetime({ offset: false })
const version = z.string().transform((value, context) => parsed(parseReleaseVersion, value, context))
/** For people, at a terminal too: nothing in it steers one. */
const oneLine = z.string().regex(/^\P{Cc}+$/u)
const channel = z.string().transform((value, context) => parsed(parseChannel, value, context))

/** Machines divide into so many cohorts of the same size; a cohort is a number from 0 up to this. */
export const COHORTS = 10_000

/** A hint where to find bytes: relative to the repository's own address, or absolute. Never trusted further. */
const hint = z.string().min(1).max(512)

const releaseSchema = z.object({
  schema: z.literal(RELEASE_SCHEMA),
  product: z.string().transform((value, context) => parsed(parseProduct, value, context)),
  version,
  platform: z.string().transform((value, context) => parsed(parsePlatform, value, context)),
  channels: z.array(channel).max(32).readonly(),
  published: isoTime,
  notes: z.string().max(LIMITS.notesLengthBytes).optional(),
  torrent: z.object({
    /** SHA-1 of the info dictionary, BEP 3. It locates and filters early; it proves nothing. */
    btih: sha1,
    pieceLength: z.int().min(LIMITS.pieceLengthMinBytes).max(LIMITS.pieceLengthMaxBytes),
    /** TUF target path of the metainfo. */
    metainfo: z.string(),
    trackers: z.array(hint).max(LIMITS.trackersMax).readonly(),
    webSeeds: z.array(hint).max(LIMITS.webSeedsMax).readonly(),
  }),
  sizes: z.object({
    files: z.int().min(1).max(LIMITS.filesMax),
    installedBytes: lengthBytes.max(LIMITS.installedLengthBytes),
    indexBytes: lengthBytes.max(LIMITS.indexLengthBytes),
    packBytes: lengthBytes.max(LIMITS.installedLengthBytes),
  }),
  /**
   * How to make the index from the one of an older release (`from` is its SHA-256). Not targets of their own, since their
   * result is one. They lie beside the index as `<sha256>.<platform>.index-patch`.
   */
  indexPatches: z
    .array(z.object({ from: sha256, lengthBytes: lengthBytes.max(LIMITS.indexLengthBytes), sha256 }))
    .max(LIMITS.patchesMax)
    .readonly()
    .optional(),
  /**
   * How to make the new chunks from those of an older release, whose index has the SHA-256 `from`. Each is the file `patch` of a
   * torrent of its own; the metainfo lies beside the release's own as `<sha256>.<platform>.patch.torrent`. Trackers and web
   * seeds are those of the release.
   */
  patches: z
    .array(
      z.object({
        from: sha256,
        lengthBytes: lengthBytes.max(LIMITS.installedLengthBytes),
        sha256,
        btih: sha1,
        metainfo: z.object({ lengthBytes: lengthBytes.max(LIMITS.metainfoLengthBytes), sha256 }),
      }),
    )
    .max(LIMITS.patchesMax)
    .readonly()
    .optional(),
  /** Version of the library that made the new frames: with another one, a machine may not be able to make them of chunks. */
  zstd: z
    .string()
    .regex(/^\d{1,4}\.\d{1,4}\.\d{1,4}$/)
    .optional(),
  minimumPreviousVersion: version.optional(),
  minimumAgentVersion: version.optional(),
  /**
   * Which machines may have it, and from when on: those whose cohort is below `cohorts` of the last step that has begun; before
   * the first step, none. Without it, all. Whole numbers, because the canonical JSON that TUF signs has no fractions.
   */
  rollout: z
    .array(z.object({ at: isoTime, cohorts: z.int().min(0).max(COHORTS) }))
    .min(1)
    .max(LIMITS.rolloutStepsMax)
    .refine(isRising, 'steps have to rise, in time and in cohorts')
    .readonly()
    .optional(),
  /** Machines need not wait until it has reached the age that their owners ask for. */
  urgent: z.literal(true).optional(),
  /** It was a mistake: nobody installs it any more, and who has it goes to `goTo`, even if that is older. */
  yanked: z.object({ at: isoTime, reason: oneLine.max(LIMITS.yankReasonLength), goTo: version.optional() }).optional(),
})

/** The signed payload of one release, as parsed. Times are ISO 8601 in UTC, sizes in bytes. */
export type Release = z.output<typeof releaseSchema>

export type RolloutStep = NonNullable<Release['rollout']>[number]

export type ReleasePatch = NonNullable<Release['patches']>[number]

/** The same as it stands in JSON, before names are branded. */
export type ReleasePayload = z.input<typeof releaseSchema>

/**
 * Reads the `custom` of the target at `path`. Collects every fault and throws once.
 *
 * Errors: RELEASE_INVALID, with each fault and its place.
 */
export const parseRelease = (custom: unknown, path: string): Release => {
  const result = releaseSchema.safeParse(custom)
  if (!result.success) {
    const faults = result.error.issues.map((issue) => `${issue.path.join('.') || 'custom'}: ${issue.message}`)
    const newer = isObject(custom) && typeof custom.schema === 'number' && custom.schema > RELEASE_SCHEMA
    throw new UpdateError('RELEASE_INVALID', `release at ${path} is malformed: ${faults.join('; ')}`, {
      ...(newer
        ? { hint: `it uses schema ${custom.schema}; this agent knows ${RELEASE_SCHEMA}: update the agent` }
        : {}),
    })
  }
  const release = result.data
  if (indexPathOf(release) !== path) {
    throw new UpdateError('RELEASE_INVALID', `release at ${path} says that it is ${indexPathOf(release)}`)
  }
  if (release.torrent.metainfo !== metainfoPathOf(release)) {
    throw new UpdateError('RELEASE_INVALID', `release at ${path} names the metainfo ${release.torrent.metainfo}`)
  }
  if (release.yanked?.goTo === release.version) {
    throw new UpdateError('RELEASE_INVALID', `release at ${path} was yanked, and sends machines to itself`)
  }
  return release
}

/** Base URLs for the torrent's `hints`, made absolute against the repository's address. Malformed ones are dropped. */
export const resolveHints = (hints: readonly string[], repositoryUrl: string): readonly string[] =>
  hints.flatMap((reference) => URL.parse(reference, repositoryUrl)?.href ?? [])

function isRising(steps: readonly { readonly at: string; readonly cohorts: number }[]): boolean {
  return steps.every((step, index) => {
    const before = steps[index - 1]
    return before === undefined || (Date.parse(before.at) < Date.parse(step.at) && before.cohorts <= step.cohorts)
  })
}

function parsed<T>(parse: (value: string) => T, value: string, context: z.RefinementCtx<string>): T {
  try {
    return parse(value)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message, input: value })
    return z.NEVER
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
