// The settings of `network` that say how much of the network this machine may use, when, and for whom. They change while the
// swarm stays open.
import { parseNetwork } from '@updraft/core/swarm/peers/nearness'
import * as z from 'zod'
import type { Window } from './window.ts'
import { readWindow, windowShape } from './window-schema.ts'

export interface Manners {
  /** At all times that no window says otherwise. */
  readonly limits: RateLimits
  /** The first one that is open counts, in place of `limits` where it says anything. */
  readonly schedule: readonly ScheduledLimits[]
  /** What may be sent out of the LAN in a calendar month; undefined is without limit. */
  readonly uploadQuotaBytesPerMonth: number | undefined
  /** What a metered connection means for sharing outside the LAN. */
  readonly sharingOnMetered: 'pause' | 'go-on'
  /** Transfers leave the link to others outside the LAN that need it. */
  readonly yields: boolean
}

/** Bytes per second; undefined is without limit. */
export interface RateLimits {
  readonly uploadLimitBytes?: number | undefined
  readonly downloadLimitBytes?: number | undefined
  readonly lanUploadLimitBytes?: number | undefined
  readonly lanDownloadLimitBytes?: number | undefined
}

export interface ScheduledLimits {
  readonly window: Window
  readonly limits: RateLimits
  /** Whether anything is sent out of the LAN. */
  readonly sharing: 'go-on' | 'pause'
}

const bytesPerSecond = (what: string) =>
  z
    .int()
    .min(1_024)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe(`${what}, in bytes per second; else without limit`)

const rateShape = {
  uploadLimitBytes: bytesPerSecond('Most that is sent to peers outside the LAN'),
  downloadLimitBytes: bytesPerSecond('Most that is fetched from outside the LAN'),
  lanUploadLimitBytes: bytesPerSecond('Most that is sent to peers in the LAN'),
  lanDownloadLimitBytes: bytesPerSecond('Most that is fetched from peers in the LAN'),
}

const network = z.string().refine((text) => parseNetwork(text) !== undefined, {
  error: ({ input }) => `network ${JSON.stringify(input)} is none: use ADDRESS/LENGTH, such as 10.1.0.0/16`,
})

/** Fields of `network`. */
export const mannersShape = {
  ...rateShape,
  lan: z
    .array(network)
    .max(100)
    .default([])
    .describe('Networks that count as the LAN, such as 10.1.0.0/16, beside those that the machine is in itself'),
  schedule: z
    .array(
      z
        .strictObject({
          ...windowShape,
          ...rateShape,
          sharing: z
            .enum(['go-on', 'pause'])
            .default('go-on')
            .describe('Whether anything is sent to peers outside the LAN'),
        })
        .transform(
          ({ days, from, to, sharing, ...limits }, context): ScheduledLimits => ({
            window: readWindow({ days, from, to }, context),
            limits,
            sharing,
          }),
        )
        .describe('Other limits in a stretch of the week, on the wall clock of the machine'),
    )
    .max(100)
    .default([])
    .describe('Limits that hold at certain times, in place of those beside it; the first that is open counts'),
  uploadQuotaBytesPerMonth: z
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .describe('Most that is sent to peers outside the LAN in a calendar month; else without limit'),
  sharingOnMetered: z
    .enum(['pause', 'go-on'])
    .default('pause')
    .describe('Whether anything is sent to peers outside the LAN while the connection of the machine is metered'),
  yields: z
    .boolean()
    .default(true)
    .describe('Leave the link to other programs and machines that need it: what is sent and fetched stands back'),
  webSeedDelaySeconds: z
    .number()
    .min(0)
    .max(3_600)
    .default(1)
    .describe('How long peers come first, before the web server of the publisher is asked as well'),
  deadlineSeconds: z
    .int()
    .min(1)
    .max(7 * 24 * 3_600)
    .optional()
    .describe('How long a download may take: the web server is left alone while peers will be done in time'),
}

/** Only what changes while the swarm is open. */
export const mannersOf = (fields: z.output<z.ZodObject<typeof mannersShape>>): Manners => {
  const { uploadLimitBytes, downloadLimitBytes, lanUploadLimitBytes, lanDownloadLimitBytes } = fields
  return {
    limits: { uploadLimitBytes, downloadLimitBytes, lanUploadLimitBytes, lanDownloadLimitBytes },
    schedule: fields.schedule,
    uploadQuotaBytesPerMonth: fields.uploadQuotaBytesPerMonth,
    sharingOnMetered: fields.sharingOnMetered,
    yields: fields.yields,
  }
}
