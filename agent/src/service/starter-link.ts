// The agent's end of the starter that may have started it: what that has said, and what it is told. Without a starter there
// is none of this, and an agent does not update itself.
// Source: starter/run-agent.ts, which is the other end.
import { type Product, parseProduct, parseReleaseVersion, type ReleaseVersion } from '@updraft/core/names'
import * as z from 'zod'
import { versionOf } from '../current-link.ts'

export interface StarterLink {
  /** The product that this agent is. */
  readonly product: Product
  /** The version that runs; undefined for an agent that is not installed as a product. */
  readonly version: ReleaseVersion | undefined
  /** Versions that the starter has left, because they did not come up. */
  readonly left: readonly LeftAgent[]
  /** The agent is in good health. */
  healthy(): void
  /** That these were left is in the journal: the starter may forget it. */
  noted(left: readonly LeftAgent[]): void
}

export interface LeftAgent {
  readonly version: ReleaseVersion
  /** Name of its folder, as the starter knows it. */
  readonly place: string
  readonly why: string
}

/** The process as far as this is concerned. */
export interface StartedProcess {
  readonly send?: ((message: object, ...rest: never[]) => unknown) | undefined
  readonly channel?: { unref(): void } | null | undefined
  on(event: 'disconnect', listener: () => void): unknown
}

/**
 * Takes it out of `environment`: no child of the agent is to speak in its name. `onGone` is called when the starter has ended:
 * then the agent has nobody who would start the next one.
 */
export const takeStarterLink = (
  environment: Record<string, string | undefined>,
  started: StartedProcess,
  onGone: () => void,
): StarterLink | undefined => {
  const { UPDRAFT_STARTER: text } = environment
  delete environment.UPDRAFT_STARTER
  delete environment.UPDRAFT_STARTED_BELOW
  const { send } = started
  if (text === undefined || send === undefined) return undefined
  const { product, version, left } = greetingSchema.parse(JSON.parse(text))
  started.on('disconnect', onGone)
  started.channel?.unref() // It alone keeps nothing running.
  const tell = (message: object) => void Reflect.apply(send, started, [message, () => {}]) // A starter that is gone hears nothing.
  return {
    product,
    version,
    left,
    healthy: () => tell({ updraft: 'healthy' }),
    noted: (noted) => tell({ updraft: 'noted', versions: noted.map(({ place }) => place) }),
  }
}

const versionSchema = z.string().transform((place) => parseReleaseVersion(versionOf(place)))

const greetingSchema = z.object({
  product: z.string().transform(parseProduct),
  version: versionSchema.optional(),
  left: z.array(
    z
      .object({ version: z.string(), why: z.string() })
      .transform(({ version, why }) => ({ version: versionSchema.parse(version), place: version, why })),
  ),
})
