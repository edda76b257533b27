// A process that runs the agent's program as often as it is asked, each time from its beginning, with the faults that were
// ordered; a kill ends it. Spares the cases of a matrix the start of Node, not the program's own.
import { isFaultMet, orderFault } from './fault-points.ts'
import type { RunEnd, RunOrder } from './faults.ts'

const MAIN = new URL('../../agent/src/main.ts', import.meta.url).href
let runs = 0

process.on('message', async (order: RunOrder) => {
  runs += 1
  let stderr = ''
  const { write } = process.stderr
  process.stderr.write = (text: string | Uint8Array) => {
    stderr += String(text)
    return true
  }
  process.exitCode = 0
  process.argv = [process.execPath, 'updraft-agent', ...order.args]
  process.env.UPDRAFT_HOME = order.home
  orderFault(order)
  try {
    await import(`${MAIN}?run=${runs}`) // The program is what happens when this module is evaluated.
  } finally {
    process.stderr.write = write
    for (const name of ['SIGINT', 'SIGTERM']) process.removeAllListeners(name)
  }
  process.send?.({ exitCode: Number(process.exitCode), isFaultMet: isFaultMet(), stderr } satisfies RunEnd)
})
