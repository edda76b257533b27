// Asking real agents to look for updates, and waiting for what they decide.
import type { ProductStatus } from '@updraft/core/control/api'
import type { StageAgent } from '../../scripts/demo/stage.ts'

/** Resolves with the status once a look has led to one for which `holds`. */
export const whenDecided = async (
  agent: StageAgent,
  holds: (status: ProductStatus) => boolean,
): Promise<ProductStatus> => {
  const signal = AbortSignal.timeout(60_000)
  const { cursor } = await agent.client.status({ signal })
  const before = await agent.productStatus()
  if (before !== undefined && holds(before)) return before
  for await (const { event } of agent.client.events(cursor, { signal })) {
    if (event.kind !== 'idle') continue
    const status = await agent.productStatus()
    if (status !== undefined && holds(status)) return status
  }
  throw new Error(`${agent.name} stopped`)
}

/** One look from its beginning to its end, with whatever it installs; the status after it. */
export const look = async (agent: StageAgent, product: string, timeoutMs: number): Promise<ProductStatus> => {
  const signal = AbortSignal.timeout(timeoutMs)
  const { cursor } = await agent.client.check({ product }, { signal })
  for await (const { event } of agent.client.events(cursor, { signal })) {
    if (event.kind !== 'idle' || event.product !== product) continue
    const status = await agent.productStatus()
    if (status !== undefined) return status
  }
  throw new Error(`${agent.name} stopped`)
}
