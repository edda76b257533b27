import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { inOrder } from '@updraft/core/bundle/in-order'
import { openWorkers } from '@updraft/core/bundle/threads/workers'
import { build as buildWithEsbuild } from 'esbuild'
import { bundle, makeBuild, noise, prose, sha256, temporaryFolder } from './bundle-support.ts'

const CORE = join(import.meta.dirname, '../../../core/src/bundle')

const chunkJob = (root: string, path: string, lengthBytes: number) => ({
  root,
  files: [{ kind: 'file' as const, path, executable: false, lengthBytes, modifiedMs: 0, inode: 0 }],
})

describe('worker threads', () => {
  test('give an error of a job back with its code and hint, and go on', async () => {
    const root = makeBuild({ a: 'a' })
    await using workers = openWorkers({ count: 1 })
    await expect(workers.run('chunkFiles', chunkJob(root, 'none', 1))).rejects.toMatchObject({
      name: 'UpdateError',
      code: 'BUILD_CHANGED',
      hint: 'publish once the build has finished',
    })
    await expect(workers.run('chunkFiles', chunkJob(root, 'a', 1))).rejects.toMatchObject({ code: 'BUILD_CHANGED' })
    await expect(workers.run('chunkFiles', { root, files: [] })).resolves.toMatchObject({ counts: new Uint32Array() })
  })

  test('are stopped in the middle of their work by a signal, and take no more', async () => {
    const root = makeBuild({ a: noise(8_000_000, 1) })
    const controller = new AbortController()
    await using workers = openWorkers({ count: 1, signal: controller.signal })
    const running = workers.run('chunkFiles', chunkJob(root, 'a', 8_000_000))
    const waiting = workers.run('chunkFiles', { root, files: [] })
    controller.abort()
    for (const job of [running, waiting, workers.run('chunkFiles', { root, files: [] })]) {
      await expect(job).rejects.toMatchObject({ code: 'ABORTED' })
    }
  })

  test('do not start for a signal that was aborted before', async () => {
    await using workers = openWorkers({ signal: AbortSignal.abort() })
    await expect(workers.run('chunkFiles', { root: '/', files: [] })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('tasks in order', () => {
  const collect = async (items: readonly number[], ahead: number, start: (item: number) => Promise<number>) => {
    const results: number[] = []
    for await (const result of inOrder(items, ahead, start)) results.push(result)
    return results
  }

  test('give their results in order, whichever ends first, and no more run than allowed', async () => {
    let running = 0
    let most = 0
    const results = await collect([5, 1, 4, 2, 3], 3, async (item) => {
      running += 1
      most = Math.max(most, running)
      for (let turn = 0; turn < item * 3; turn += 1) await Promise.resolve()
      running -= 1
      return item
    })
    expect(results).toEqual([5, 1, 4, 2, 3])
    expect(most).toBeLessThanOrEqual(3)
  })

  test('an error ends them: nothing more is started, and what runs is waited for', async () => {
    const started: number[] = []
    const ended: number[] = []
    const start = async (item: number) => {
      started.push(item)
      await Promise.resolve()
      if (item === 2) throw new Error('two')
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
      ended.push(item)
      return item
    }
    await expect(collect([1, 2, 3, 4, 5, 6], 2, start)).rejects.toThrow('two')
    expect(started).toEqual([1, 2, 3])
    expect(ended).toEqual([1, 3])
  })
})

test('a program that ships as one file has its workers in it, and writes the same bytes', async () => {
  const folder = temporaryFolder()
  const entry = join(folder, 'program.ts')
  writeFileSync(
    entry,
    `import { writeBundle } from ${JSON.stringify(join(CORE, 'bundle.ts'))}
     const [build = '', into = ''] = process.argv.slice(2)
     await writeBundle({ build, into })`,
  )
  const worker = await buildWithEsbuild({
    entryPoints: [join(CORE, 'threads/worker.ts')],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
  })
  const program = join(folder, 'shipped/program.mjs')
  mkdirSync(join(folder, 'shipped'))
  await buildWithEsbuild({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    define: { UPDRAFT_WORKER_SOURCE: JSON.stringify(worker.outputFiles[0]?.text) },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
  })
  const nodes = { a: noise(500_000, 1), b: prose(100_000, 1) }
  const build = makeBuild(nodes)
  const { status, stderr } = spawnSync(process.execPath, [program, build, join(folder, 'out')], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const shipped = await bundle(build, undefined, { into: join(folder, 'other') })
  expect(sha256(readFileSync(join(folder, 'out/pack')))).toBe(sha256(shipped.packBytes))
  expect(sha256(readFileSync(join(folder, 'out/index')))).toBe(sha256(shipped.indexBytes))
})
