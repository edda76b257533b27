// One refresh in a process of its own, which ends itself or waits at a given step. Run by test/agent/refresh-kill.test.ts;
// every step is one that production code announces by calling a seam: a file of the cache, an answer, the floors.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseProduct } from '@updraft/core/names'
import { askServer } from '../../agent/src/ask.ts'
import { type CacheDisk, realDisk } from '../../agent/src/refresh/cache.ts'
import { type RefreshResult, refresh, type VersionFloors } from '../../agent/src/refresh.ts'
import { sourceOf } from './refreshing.ts'

export interface RefreshOrder {
  readonly directory: string
  readonly url: string
  readonly rootFile: string
  /** Number of the step, from 1, before which it happens; 0 lets the refresh end. */
  readonly at: number
  /** `kill` ends the process at once; `wait` says so and goes on when standard input ends. */
  readonly action: 'kill' | 'wait'
}

/** Floors in a file, for several processes one after the other. */
export const fileFloors = (path: string): VersionFloors => {
  const read = (): Record<string, number> => {
    try {
      return JSON.parse(readFileSync(path, 'utf8'))
    } catch {
      return {} // None yet.
    }
  }
  return {
    read,
    raise: (_, versions) => {
      const known = read()
      for (const [name, version] of Object.entries(versions)) known[name] = Math.max(version, known[name] ?? 0)
      writeFileSync(`${path}.new`, JSON.stringify(known))
      renameSync(`${path}.new`, path)
    },
  }
}

export const runRefresh = (
  order: Omit<RefreshOrder, 'at' | 'action'>,
  step: () => Promise<void>,
): Promise<RefreshResult> => {
  const floors = fileFloors(join(order.directory, 'floors.json'))
  const stepping =
    <Args extends readonly unknown[]>(run: (...args: Args) => Promise<void>) =>
    async (...args: Args) => {
      await step()
      await run(...args)
    }
  const disk: CacheDisk = {
    makeDirectory: stepping(realDisk.makeDirectory),
    writeFile: stepping(realDisk.writeFile),
    syncDirectory: stepping(realDisk.syncDirectory),
    replaceLink: stepping(realDisk.replaceLink),
    remove: stepping(realDisk.remove),
  }
  return refresh(sourceOf(readFileSync(order.rootFile), [order.url]), [parseProduct('acme')], {
    cacheDirectory: join(order.directory, 'metadata'),
    now: () => new Date(),
    floors: {
      read: floors.read,
      // Synchronous, so a kill comes right before or, with the next step, right after it.
      raise: (source, versions) => {
        stepNow()
        floors.raise(source, versions)
      },
    },
    disk,
    ask: async (url, signal) => {
      await step()
      return askServer(url, signal)
    },
  })

  function stepNow() {
    step().catch(() => {})
  }
}

if (process.argv[1] === import.meta.filename) {
  const order: RefreshOrder = JSON.parse(process.argv[2] ?? '')
  let steps = 0
  const step = async () => {
    steps += 1
    if (steps !== order.at) return
    if (order.action === 'kill') process.kill(process.pid, 'SIGKILL')
    process.stdout.write('waiting\n')
    for await (const _ of process.stdin) {
      // Goes on when it ends.
    }
  }
  await runRefresh(order, step)
  process.stdout.write(`steps ${steps}\n`)
}
