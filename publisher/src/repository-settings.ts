// `repository.json`: what the publisher's owner decides for a whole repository, parsed at the door. It may be read by
// anyone who can read the repository, so nothing in it is secret, and no client trusts it.
import { join } from 'node:path'
import { systemCodeOf, UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { z } from 'zod'

export const SETTINGS_FILE = 'repository.json'
const SETTINGS_SCHEMA = 1

const urlOf = (protocols: readonly string[], value: string): URL | undefined => {
  const url = URL.parse(value)
  return url !== null && protocols.includes(url.protocol) ? url : undefined
}

const webUrl = z.string().transform((value, context) => {
  const url = urlOf(['http:', 'https:'], value)
  if (url === undefined || url.search !== '' || url.hash !== '' || url.username !== '') {
    context.addIssue({ code: 'custom', message: `${JSON.stringify(value)} is not a plain http or https address` })
    return z.NEVER
  }
  // Without the slash, everything that is relative to the repository would resolve beside it.
  return url.href.endsWith('/') ? url.href : `${url.href}/`
})

const trackerUrl = z
  .string()
  .refine((value) => urlOf(['http:', 'https:', 'udp:', 'ws:', 'wss:'], value) !== undefined, {
    error: (issue) => `${JSON.stringify(issue.input)} is not an http, https, udp, ws or wss address`,
  })

/** An hour is the shortest that an origin can keep renewing in time; ten years is as good as never. */
const days = z
  .number()
  .min(1 / 24)
  .max(3650)

const DEFAULT_EXPIRY_DAYS = { root: 365, targets: 365, product: 365, snapshot: 7, timestamp: 1 }

const settingsSchema = z.strictObject({
  schema: z.literal(SETTINGS_SCHEMA).default(SETTINGS_SCHEMA),
  url: webUrl.optional().describe('Where the repository is served, if it has a fixed address'),
  trackers: z
    .array(trackerUrl)
    .max(LIMITS.trackersMax - 1) // One place is kept for the origin's own.
    .default([])
    .readonly()
    .describe("Announce URLs besides the origin's own"),
  webSeeds: z
    .array(webUrl)
    .max(LIMITS.webSeedsMax - 1)
    .default([])
    .readonly()
    .describe('Base URLs of further web seeds (BEP 19), such as a content delivery network'),
  expiryDays: z
    .strictObject({ root: days, targets: days, product: days, snapshot: days, timestamp: days })
    .default(DEFAULT_EXPIRY_DAYS)
    .readonly()
    .describe('After how many days what each role has signed expires'),
})

export type RepositorySettings = Readonly<z.output<typeof settingsSchema>>
export type ExpiryDays = RepositorySettings['expiryDays']

/**
 * Fills in what is left out, and collects every fault.
 *
 * Errors: SETTINGS_INVALID, naming `origin` (a file, or the command line) and each fault.
 */
export const parseRepositorySettings = (value: unknown, origin: string): RepositorySettings => {
  const result = settingsSchema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) => `${issue.path.join('.') || 'the whole'}: ${issue.message}`)
  throw new UpdateError('SETTINGS_INVALID', `${origin} cannot be used: ${faults.join('; ')}`)
}

/** Describes `repository.json` to editors. */
export const repositorySettingsJsonSchema = (): object =>
  z.toJSONSchema(settingsSchema, { io: 'input', target: 'draft-7' })

/** Errors: REPOSITORY_INVALID if there is no such file, SETTINGS_INVALID, IO, PERMISSION. */
export const readRepositorySettings = async (directory: string): Promise<RepositorySettings> => {
  const path = join(directory, SETTINGS_FILE)
  const text = await readFileBounded(path, LIMITS.settingsLengthBytes).catch((error: unknown) => {
    const systemCode = systemCodeOf((error as Error).cause)
    if (systemCode !== 'ENOENT' && systemCode !== 'ENOTDIR') throw error
    throw new UpdateError('REPOSITORY_INVALID', `${directory} is not a repository: it has no ${SETTINGS_FILE}`, {
      cause: error,
      hint: 'make one with: updraft-publisher init DIR --product NAME',
    })
  })
  return parseRepositorySettings(parseJson(text, path), path)
}

export const serializeRepositorySettings = (settings: RepositorySettings): string =>
  `${JSON.stringify(settings, undefined, 2)}\n`

const parseJson = (text: Buffer, path: string): unknown => {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch (error) {
    throw new UpdateError('SETTINGS_INVALID', `${path} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}
