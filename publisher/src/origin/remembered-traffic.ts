// The bytes over time of the origin's earlier runs, so that the chart of a day does not begin anew with each start.
import * as z from 'zod'
import type { Log } from './log.ts'
import { rememberedFile } from './remembered.ts'
import { SAMPLES_MAX, type Traffic, type TrafficSample } from './traffic.ts'

const bytes = z.int().min(0)
const DAY_MS = 24 * 3_600_000
/** After a kill so much is lost. */
const WRITE_EVERY_MS = 10 * 60_000
const BYTES_PER_SAMPLE = 160

const file = rememberedFile({
  name: '.traffic.json',
  what: 'the bytes',
  schema: z.object({
    version: z.literal(1),
    samples: z
      .array(z.object({ at: z.iso.datetime(), originBytes: bytes, peerBytes: bytes }))
      .max(SAMPLES_MAX + 1)
      .readonly(),
  }),
  bytesMax: SAMPLES_MAX * BYTES_PER_SAMPLE,
})

/** Those of the last day, the oldest first. */
export const readRememberedTraffic = async (
  repository: string,
  now: Date,
  log: Log,
): Promise<readonly TrafficSample[]> => {
  const { samples = [] } = (await file.read(repository, log)) ?? {}
  return samples
    .filter(({ at }) => Date.parse(at) <= now.getTime() && Date.parse(at) > now.getTime() - DAY_MS)
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
}

/** Writes them now and then, and when it is disposed. */
export const rememberTraffic = (repository: string, traffic: Traffic, log: Log): AsyncDisposable => {
  const write = (): Promise<void> => file.write(repository, { version: 1, samples: traffic.samples() }, log)
  const timer = setInterval(() => void write(), WRITE_EVERY_MS)
  timer.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await write()
    },
  }
}
