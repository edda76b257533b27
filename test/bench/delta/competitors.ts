// What others would have to send. Each works on the same two trees, the delta tools on their tars; what is not installed
// is left out by the caller and named.
import { spawn, spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { isInstalled, type Measured, measure } from './measured.ts'

export interface Pair {
  readonly oldTree: string
  readonly newTree: string
  readonly oldTar: string
  readonly newTar: string
  /** An empty folder of its own. */
  readonly work: string
}

export interface Cost {
  readonly bytes: number
  readonly make: Measured
  readonly apply?: Measured
}

export interface Competitor {
  readonly name: string
  readonly programs: readonly string[]
  cost(pair: Pair): Promise<Cost>
}

export const missingPrograms = ({ programs }: Competitor): readonly string[] =>
  programs.filter((program) => !isInstalled(program))

/** The tar that all of them work on: sorted, without times and owners, as a careful publisher makes it. */
export const makeTar = (tree: string, tar: string): void => {
  measure([
    'tar',
    '--sort=name',
    '--mtime=@0',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '-cf',
    tar,
    '-C',
    tree,
    '.',
  ])
}

const sizeOf = async (path: string): Promise<number> => (await stat(path)).size

/** A difference file between the tars: made, and applied, and the result compared. */
const difference = (
  name: string,
  make: (pair: Pair, patch: string) => readonly string[],
  apply: (pair: Pair, patch: string, result: string) => readonly string[],
): Competitor => ({
  name,
  programs: [name.split(' ')[0] ?? ''],
  cost: async (pair) => {
    const [patch, result] = [join(pair.work, 'patch'), join(pair.work, 'result')]
    const made = measure(make(pair, patch))
    const applied = measure(apply(pair, patch, result))
    if (spawnSync('cmp', ['-s', result, pair.newTar]).status !== 0) throw new Error(`${name} made another tar`)
    return { bytes: await sizeOf(patch), make: made, apply: applied }
  },
})

export const COMPETITORS: readonly Competitor[] = [
  {
    name: 'tar | zstd -19',
    programs: ['zstd'],
    cost: async ({ newTar, work }) => {
      const packed = join(work, 'new.zst')
      const make = measure(['zstd', '-q', '-19', '--long=27', '-f', newTar, '-o', packed])
      return {
        bytes: await sizeOf(packed),
        make,
        apply: measure(['zstd', '-q', '-d', '--long=27', '-f', packed, '-o', `${packed}.tar`]),
      }
    },
  },
  {
    name: 'whole changed files',
    programs: ['zstd'],
    cost: async ({ oldTree, newTree, work }) => {
      const changed: string[] = []
      for (const entry of await readdir(newTree, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name).slice(newTree.length + 1)
        if (!entry.isFile()) continue
        const before = await readFile(join(oldTree, path)).catch(() => undefined)
        if (before?.equals(await readFile(join(newTree, path))) !== true) changed.push(path)
      }
      const [list, tar] = [join(work, 'changed'), join(work, 'changed.tar')]
      await writeFile(list, changed.sort().join('\n'))
      measure(['tar', '--mtime=@0', '--owner=0', '--group=0', '-cf', tar, '-C', newTree, '-T', list])
      const make = measure(['zstd', '-q', '-19', '--long=27', '-f', tar, '-o', `${tar}.zst`])
      return { bytes: await sizeOf(`${tar}.zst`), make }
    },
  },
  {
    name: 'zchunk',
    programs: ['zck', 'zck_delta_size'],
    cost: async ({ oldTar, newTar, work }) => {
      const [before, after] = [join(work, 'old.zck'), join(work, 'new.zck')]
      measure(['zck', '-o', before, oldTar])
      const make = measure(['zck', '-o', after, newTar])
      const { output } = measure(['zck_delta_size', before, after])
      const [, bytes] = /Would download (\d+) of/.exec(output) ?? []
      if (bytes === undefined) throw new Error(`zck_delta_size said nothing of a download: ${output}`)
      return { bytes: Number(bytes), make }
    },
  },
  {
    name: 'casync',
    programs: ['casync'],
    cost: async ({ oldTree, newTree, work }) => {
      const [before, after] = [join(work, 'old.castr'), join(work, 'new.castr')]
      const make = (tree: string, store: string): Measured =>
        measure([
          'casync',
          'make',
          '--without=all',
          '--with=permissions',
          '--with=symlinks',
          `--store=${store}`,
          `${store}.caidx`,
          tree,
        ])
      make(oldTree, before)
      const made = make(newTree, after)
      const had = new Set(await readdir(before, { recursive: true }))
      let bytes = await sizeOf(`${after}.caidx`)
      for (const chunk of await readdir(after, { recursive: true })) {
        const file = await stat(join(after, chunk))
        if (file.isFile() && !had.has(chunk)) bytes += file.size
      }
      return { bytes, make: made }
    },
  },
  {
    name: 'zsync',
    programs: ['zsync', 'zsyncmake'],
    cost: async ({ oldTar, newTar, work }) => {
      const control = join(work, 'new.zsync')
      const make = measure(['zsyncmake', '-q', '-u', 'new.tar', '-o', control, newTar])
      const content = await readFile(newTar)
      let sent = 0
      await using server = createServer(({ url, headers }, response) => {
        const ranges = [...(headers.range ?? '').matchAll(/(\d+)-(\d+)/g)].map(([, from, to]) => [
          Number(from),
          Number(to),
        ])
        if (url !== '/new.tar' || ranges.length === 0) {
          response.writeHead(404).end()
          return
        }
        const parts = ranges.map(([from = 0, to = 0]) => {
          const part = content.subarray(from, to + 1)
          sent += part.length
          return { range: `bytes ${from}-${from + part.length - 1}/${content.length}`, part }
        })
        const [first] = parts
        if (parts.length === 1 && first !== undefined) {
          response.writeHead(206, { 'Content-Range': first.range, 'Content-Length': first.part.length })
          response.end(first.part)
          return
        }
        // zsync asks for many ranges at once. Source: RFC 9110, 14.6.
        const body = parts.flatMap(({ range, part }) => [
          Buffer.from(`\r\n--part\r\nContent-Type: application/octet-stream\r\nContent-Range: ${range}\r\n\r\n`),
          part,
        ])
        body.push(Buffer.from('\r\n--part--\r\n'))
        const whole = Buffer.concat(body)
        response.writeHead(206, {
          'Content-Type': 'multipart/byteranges; boundary=part',
          'Content-Length': whole.length,
        })
        response.end(whole)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      // The server is in this process, so the client must not block it.
      const begin = performance.now()
      const client = spawn(
        'zsync',
        ['-q', '-i', oldTar, '-u', `http://127.0.0.1:${port}/`, '-o', join(work, 'zsynced'), control],
        {
          cwd: work,
          stdio: ['ignore', 'ignore', 'inherit'],
          // Nothing but a path: a proxy of this machine would be asked for the loopback address as well.
          env: { PATH: process.env.PATH ?? '' },
        },
      )
      const code = await new Promise((resolve) => client.on('exit', resolve))
      if (code !== 0) throw new Error(`zsync ended with ${code}`)
      const apply = { output: '', seconds: (performance.now() - begin) / 1000, peakMib: Number.NaN }
      server.closeAllConnections()
      return { bytes: sent + (await sizeOf(control)), make, apply }
    },
  },
  difference(
    'zstd --patch-from',
    ({ oldTar, newTar }, patch) => ['zstd', '-q', '-19', '--long=31', `--patch-from=${oldTar}`, newTar, '-o', patch],
    ({ oldTar }, patch, result) => ['zstd', '-q', '-d', '--long=31', `--patch-from=${oldTar}`, patch, '-o', result],
  ),
  difference(
    'xdelta3',
    ({ oldTar, newTar }, patch) => [
      'xdelta3',
      '-e',
      '-9',
      '-S',
      'lzma',
      '-B',
      '536870912',
      '-s',
      oldTar,
      newTar,
      patch,
    ],
    ({ oldTar }, patch, result) => ['xdelta3', '-d', '-B', '536870912', '-s', oldTar, patch, result],
  ),
  difference(
    'bsdiff',
    ({ oldTar, newTar }, patch) => ['bsdiff', oldTar, newTar, patch],
    ({ oldTar }, patch, result) => ['bspatch', oldTar, result, patch],
  ),
]

/** A folder for one competitor, gone afterwards: some of them leave gigabytes. */
export const costOf = async (competitor: Competitor, pair: Omit<Pair, 'work'>, scratch: string): Promise<Cost> => {
  const work = join(scratch, 'work')
  await mkdir(work, { recursive: true })
  try {
    return await competitor.cost({ ...pair, work })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
