// The agent's program: puts the real parts together and runs one command. What is heavy is loaded only by the command that
// needs it, so that `status` answers at once.
import { join } from 'node:path'
import type { AgentParts } from './agent.ts'
import { contextOfProcess } from './commands/context.ts'
import { runProgram } from './program.ts'
import { actAsServiceUser } from './service/act-as.ts'
import { describeSources } from './trust-store.ts'

const parts: AgentParts = {
  cycle: async (product, dependencies) => (await import('./cycle.ts')).runCycle(product, dependencies),
  openSwarm: async (options) => (await import('@updraft/core/swarm/webtorrent-swarm')).openSwarm(options),
  seedKept: async (seed, { home, swarm, kept, onWarning }) => {
    const bundlesDirectory = join(home.dataDirectory, 'bundles')
    return (await import('./seed.ts')).seedBundle(seed, { bundlesDirectory, swarm, kept, stamp: seed.stamp, onWarning })
  },
  describeSources,
}

actAsServiceUser(process.argv[2])
await runProgram(contextOfProcess(parts), process.argv)
