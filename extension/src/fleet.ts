// How many machines have which version, as the origin of a source says on its status page. It is asked only while somebody looks
// at the dashboard. What it says is hostile until parsed, may be wrong, and decides nothing.
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import * as z from 'zod/mini'
import { type Shown, show } from './text.ts'

/** The releases of a product for one platform, the newest first. */
export interface FleetLine {
  readonly product: Shown
  readonly platform: Shown
  readonly versions: readonly FleetVersion[]
}

export interface FleetVersion {
  readonly version: Shown
  /** Machines that have all of it, and those that are fetching it. */
  readonly have: number
  readonly fetching: number
}

const NAME_LENGTH_MAX = 64
const count = z.int().check(z.minimum(0))

/** What is used of `/status.json` of an origin; the rest may be anything. */
const originStatusSchema = z.object({
  products: z
    .array(
      z.object({
        product: z.string(),
        platform: z.string(),
        releases: z
          .array(z.object({ version: z.string(), machines: z.object({ have: count, fetching: count }) }))
          .check(z.maxLength(LIMITS.originStatusRowsMax)),
      }),
    )
    .check(z.maxLength(LIMITS.originStatusRowsMax)),
})

/**
 * Asks the status page beside the repository at `sourceUrl`. Undefined if there is none: most repositories are plain files.
 *
 * Errors: SOURCE_UNREACHABLE, also for an answer that is not understood; LIMIT_EXCEEDED; ABORTED.
 */
export const fetchFleet = async (sourceUrl: string, signal: AbortSignal): Promise<readonly FleetLine[] | undefined> => {
  const url = URL.canParse('status.json', sourceUrl) ? new URL('status.json', sourceUrl) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '') return undefined
  const late = AbortSignal.timeout(LIMITS.originStatusTimeoutMs)
  try {
    // Whoever answers with another address would choose whom this machine asks.
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.any([signal, late]) })
    if (!response.ok) {
      await response.body?.cancel()
      return undefined
    }
    return linesOf(JSON.parse(await textOf(response)))
  } catch (error) {
    if (signal.aborted) throw new UpdateError('ABORTED', 'nobody looks any more')
    if (error instanceof UpdateError) throw error
    throw new UpdateError('SOURCE_UNREACHABLE', `${url.origin} does not say how many machines have which version`, {
      cause: error,
    })
  }
}

const textOf = async ({ body }: Response): Promise<string> => {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of body ?? []) {
    length += part.length
    if (length > LIMITS.originStatusBytes) {
      throw new UpdateError('LIMIT_EXCEEDED', `a status page has more than ${LIMITS.originStatusBytes} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

const linesOf = (answer: unknown): readonly FleetLine[] =>
  originStatusSchema.parse(answer).products.map(({ product, platform, releases }) => ({
    product: show(product, NAME_LENGTH_MAX),
    platform: show(platform, NAME_LENGTH_MAX),
    versions: releases.map(({ version, machines }) => ({ version: show(version, NAME_LENGTH_MAX), ...machines })),
  }))
