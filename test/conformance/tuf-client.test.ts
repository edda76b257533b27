import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { keysOf, roleOf, serveRepository, simulateRepository, targetOf } from '../support/repository-simulator.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'updraft-conformance-'))
  await mkdir(join(home, 'targets'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** Exit code of the client. */
const run = async (...args: readonly string[]): Promise<number> => {
  const command = [join(import.meta.dirname, 'tuf-client'), '--metadata-dir', join(home, 'metadata'), ...args]
  const [code] = await once(spawn('sh', command, { stdio: 'ignore' }), 'close')
  return code
}

const trusted = async () => (await readdir(join(home, 'metadata'))).filter((name) => name.endsWith('.json')).toSorted()

test('speaks the command line of the suite, with names that no product has', async () => {
  const repository = simulateRepository({ products: [] })
  const content = Buffer.from('target')
  const key = repository.signers.targets ?? []
  repository.signed['../Role ?'] = {
    ...repository.signed.targets,
    version: 0,
    targets: { 'a folder/file': targetOf(content) },
    delegations: undefined,
  }
  repository.signers['../Role ?'] = key
  repository.signed.targets = {
    ...repository.signed.targets,
    delegations: {
      keys: keysOf(key),
      roles: [{ name: '../Role ?', ...roleOf(key), terminating: false, paths: ['*/*'] }],
    },
  }
  repository.publish('../Role ?', 'targets', 'snapshot', 'timestamp')
  const role = repository.files.get('metadata/1.../Role ?.json') ?? Buffer.alloc(0)
  repository.files.set('metadata/1...%2FRole%20%3F.json', role)
  repository.files.set(`targets/a%20folder/${targetOf(content).hashes.sha256}.file`, content)
  await using served = await serveRepository(repository)
  const rootFile = join(home, 'initial.json')
  await writeFile(rootFile, repository.rootBytes(1))

  expect(await run('init', rootFile)).toBe(0)
  expect(await trusted()).toEqual(['root.json'])

  expect(await run('--metadata-url', `${served.url}metadata`, 'refresh')).toBe(0)
  expect(await trusted()).toEqual(['root.json', 'snapshot.json', 'targets.json', 'timestamp.json'])
  expect(await readFile(join(home, 'metadata', 'timestamp.json'))).toEqual(
    repository.files.get('metadata/timestamp.json'),
  )

  const download = (name: string) =>
    run(
      '--metadata-url',
      `${served.url}metadata/`,
      '--target-base-url',
      `${served.url}targets`,
      '--target-dir',
      join(home, 'targets'),
      '--target-name',
      name,
      'download',
    )
  expect(await download('a folder/file')).toBe(0)
  const [name = ''] = await readdir(join(home, 'targets'))
  expect(await readFile(join(home, 'targets', name))).toEqual(content)
  expect(await trusted()).toHaveLength(5)

  repository.requests.length = 0
  expect(await download('a folder/file')).toBe(0)
  expect(repository.requests.filter((path) => path.startsWith('targets/'))).toEqual([])

  expect(await download('a folder/other')).toBe(1)
  expect(await download('constructor')).toBe(1)
  expect(await run('--metadata-url', 'http://127.0.0.1:9/', 'refresh')).toBe(1)
})
