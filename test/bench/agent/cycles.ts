// Many looks of one agent in one process, and what it takes before and after: the part of the benchmark in which nothing may grow.
import { openCycling, type Taken } from '../../support/cycling.ts'

export interface CyclesRow extends Taken {
  readonly cycles: number
  readonly seconds: number
}

const RELEASES = 10

/** Every second look meets nobody; ten times over the whole length there is a new release. Gives ten rows on the way. */
export const runCycles = async (cycles: number): Promise<readonly CyclesRow[]> => {
  await using cycling = await openCycling(RELEASES)
  const begin = performance.now()
  const rows: CyclesRow[] = []
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const isStep = cycle % Math.ceil(cycles / RELEASES) === 0
    await cycling.cycle(isStep ? 'new' : cycle % 2 === 0 ? 'unreachable' : 'same')
    if (isStep && cycle > 0)
      rows.push({ cycles: cycle, seconds: (performance.now() - begin) / 1_000, ...cycling.taken() })
  }
  rows.push({ cycles, seconds: (performance.now() - begin) / 1_000, ...cycling.taken() })
  return rows
}
