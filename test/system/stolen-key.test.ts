// A product's key is stolen: after the rehearsal, agents of the state before it, fresh ones with the first root, and ones with the
// newest root all update from the copy, which is then the repository; the thief's release reaches nobody.
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { runForJson, startProgram } from '../../scripts/demo/program.ts'
import { openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let stage: Stage

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  await stage.init()
}, 60_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

const publish = async (repository: string, version: string, seed: number): Promise<string> => {
  const build = await makeSmallBuild(join(directory, `build-${version}`), seed)
  await runForJson('updraft-publisher', [
    'publish',
    build,
    '--repo',
    repository,
    '--product',
    'acme',
    '--version',
    version,
  ])
  return await digestOfTree(build)
}

const installed = (agent: StageAgent): Promise<string> => digestOfTree(agent.installedPath)

test('agents of the old state and new ones follow to the new keys, and update', async () => {
  const first = await publish(stage.repository, '1.0.0', 1)
  const origin = await stage.startOrigin()
  const before = await stage.agent('before')
  expect(await before.run(['install', 'acme'])).toMatchObject({ exitCode: 0 })
  expect(await installed(before)).toBe(first)

  // The keys of snapshot, timestamp and the product are on one machine, and it was broken into.
  const { keys } = (await runForJson('updraft-publisher', ['keys', 'list', '--repo', stage.repository])) as {
    readonly keys: readonly { readonly name: string; readonly keyId: string }[]
  }
  const stolen = ['acme', 'snapshot', 'timestamp'].map(
    (role) => keys.find(({ name }) => name === role)?.keyId.slice(0, 8) ?? '',
  )
  let [from, keyFolder] = [stage.repository, `${stage.repository}.keys`]
  for (const [round, key] of stolen.entries()) {
    const out = join(directory, `drill-${round}`)
    const args = ['drill', key, '--stolen', '--repo', from, '--keys', keyFolder, '--out', out, '--no-passphrase']
    await runForJson('updraft-publisher', args)
    // The next rehearsal stands on this one: its new key, and those that are still good.
    for (const file of await readdir(keyFolder)) {
      await cp(join(keyFolder, file), join(`${out}.keys`, file), { force: false, recursive: true })
    }
    ;[from, keyFolder] = [out, `${out}.keys`]
  }
  const second = await publish(from, '1.1.0', 2)
  await origin.stop()

  // What the thief signs with the old keys, as the real repository still would, is older for those who have followed.
  const port = new URL(origin.url).port
  const serve = [
    'serve',
    from,
    '--keys',
    keyFolder,
    '--host',
    '127.0.0.1',
    '--port',
    port,
    '--allow-loopback',
    '--json',
  ]
  const recovered = await startProgram('updraft-publisher', serve)
  try {
    expect(await before.run(['run', '--once'])).toMatchObject({ exitCode: 0 })
    expect(await installed(before)).toBe(second)

    const fresh = await stage.agent('fresh')
    expect(await fresh.run(['install', 'acme'])).toMatchObject({ exitCode: 0 })
    expect(await installed(fresh)).toBe(second)

    const newest = await stage.agent('newest')
    await newest.run(['trust', 'remove', 'demo'])
    const root = join(from, 'metadata', '3.root.json')
    expect(await newest.run(['trust', 'add', origin.url, '--name', 'demo', '--root', root])).toMatchObject({
      exitCode: 0,
    })
    expect(await newest.run(['install', 'acme'])).toMatchObject({ exitCode: 0 })
    expect(await installed(newest)).toBe(second)
  } finally {
    await recovered.stop()
  }

  await publish(stage.repository, '6.6.6', 3)
  const thief = await stage.startOrigin()
  const refused = await before.run(['run', '--once'])
  expect(refused).toMatchObject({ exitCode: 6 })
  expect(await installed(before)).toBe(second)
  expect((await before.run(['status', '--json'])).stdout).toMatch(/metadata-(untrusted|rollback)/)
  await thief.stop()
}, 180_000)
