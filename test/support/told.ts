// Waiting for what an agent tells, instead of for time.
import type { AgentEvent } from '../../core/src/control/api.ts'
import type { StageAgent } from '../../scripts/demo/stage.ts'

/** Resolves once an event was told for which `holds`; those after the cursor count. Within a minute. */
export const told = async (agent: StageAgent, after: number, holds: (event: AgentEvent) => boolean): Promise<void> => {
  for await (const { event } of agent.client.events(after, { signal: AbortSignal.timeout(60_000) })) {
    if (holds(event)) return
  }
  throw new Error(`${agent.name} stopped`)
}

export const isIn = (version: string, state: string) => (event: AgentEvent) =>
  event.kind === 'update' && event.update.version === version && event.update.state === state

export const cursorOf = async (agent: StageAgent): Promise<number> => (await agent.client.status()).cursor
