// A release is carried to where no network leads, as one file: real publisher, real agents, no origin at all. What is brought is
// trusted no more than what a server says.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { runForJson } from '../../scripts/demo/program.ts'
import { changeSettings, openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { PROJECT } from '../../scripts/steps.ts'
import { describeWith, needsProgram, needsRoot } from '../support/needs.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild } from '../support/small-build.ts'

/** Nobody answers there: the agents know the address of the source, and no way to it. */
const NOWHERE = 'http://127.0.0.1:9/'

let directory: string
let stage: Stage
const digests = new Map<string, string>()
const exported = new Map<string, string>()

const publish = async (version: string, seed: number): Promise<void> => {
  const build = await makeSmallBuild(join(directory, `build-${version}`), seed)
  digests.set(version, await digestOfTree(build))
  await stage.publish(build, version)
  const file = join(directory, `${version}.tar`)
  await runForJson('updraft-publisher', ['export', 'acme', '--repo', stage.repository, '--out', file, '--patches'])
  exported.set(version, file)
}

const fileOf = (version: string): string => exported.get(version) ?? ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  await stage.init()
  await publish('1.0.0', 1)
  await publish('1.1.0', 2)
}, 60_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

/** An agent that has the root from its publisher, and never saw a network. */
const isolated = async (name: string, url = NOWHERE): Promise<StageAgent> => {
  const agent = await stage.agent(name, url)
  await changeSettings(agent, (text) => text.replace('"checkIntervalSeconds": 2', '"checkIntervalSeconds": 86400'))
  return agent
}

const stagedBy = async ({ home }: StageAgent): Promise<readonly string[]> =>
  await readdir(join(home, 'staging')).catch(() => [])

/** Serves a folder as any web server would. */
const serveFolder = async (root: string): Promise<Server> => {
  const server = createServer((request, response) => {
    readFile(join(root, normalize(request.url ?? '/'))).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

describe('an exported release', () => {
  test('is installed and shared by an agent without a network, and others have it from that one', async () => {
    const agent = await isolated('first')
    await agent.start()
    const { exitCode, stdout } = await agent.run(['import', fileOf('1.1.0')])
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('installed acme 1.1.0') })
    expect(await digestOfTree(agent.installedPath)).toBe(digests.get('1.1.0'))
    expect(await stagedBy(agent)).toEqual([])
    const status = await agent.client.status()
    expect(status.products[0]?.seeding.releases).toBe(1)

    // What any web server serves of the unpacked file: descriptions, and here no bundle.
    const unpacked = join(directory, 'unpacked')
    await mkdir(unpacked)
    expect(spawnSync('tar', ['-xf', fileOf('1.1.0'), '-C', unpacked]).stderr.toString()).toBe('')
    expect(spawnSync('sha256sum', ['--quiet', '-c', 'SHA256SUMS'], { cwd: unpacked }).status).toBe(0)
    await rm(join(unpacked, 'bundles'), { recursive: true })
    const server = await serveFolder(unpacked)
    try {
      const second = await isolated('second', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      const peer = `127.0.0.1:${status.agent.swarmPort}`
      await changeSettings(second, (text) => text.replace('"network": {', `"network": { "peers": ["${peer}"],`))
      const installed = await second.run(['install', 'acme', '--json'])
      expect(installed).toMatchObject({ exitCode: 0 })
      expect(JSON.parse(installed.stdout)).toMatchObject({ installed: { version: '1.1.0' }, bytes: { origin: 0 } })
      expect(await digestOfTree(second.installedPath)).toBe(digests.get('1.1.0'))
    } finally {
      server.close()
    }
    await agent.stop()
  })

  test('is imported without a running agent, over an older one, and not again', async () => {
    const agent = await isolated('alone')
    for (const version of ['1.0.0', '1.1.0']) {
      const { exitCode, stdout } = await agent.run(['import', fileOf(version)])
      expect({ exitCode, stdout }).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining(`installed acme ${version}`),
      })
      expect(await digestOfTree(agent.installedPath)).toBe(digests.get(version))
    }
    const again = await agent.run(['import', fileOf('1.1.0'), '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject({ new: false, installed: { version: '1.1.0' } })
    expect(await stagedBy(agent)).toEqual([])
  })

  test('that is older than what was trusted is refused, and what is installed stays', async () => {
    const agent = await isolated('replayed')
    expect(await agent.run(['import', fileOf('1.1.0')])).toMatchObject({ exitCode: 0 })
    const { exitCode, stdout } = await agent.run(['import', fileOf('1.0.0'), '--json'])
    expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({ exitCode: 6, error: { code: 'METADATA_ROLLBACK' } })
    expect(await digestOfTree(agent.installedPath)).toBe(digests.get('1.1.0'))
    const status = await agent.run(['status', '--json'])
    expect(JSON.parse(status.stdout).products[0].trust.findings).toMatchObject([{ code: 'metadata-rollback' }])
  })
})

/** A namespace of its own without any interface that is up, and the program in it. */
const runWithoutNetwork = ({ home }: StageAgent, args: readonly string[]) => {
  const program = join(PROJECT, 'agent/bin/updraft-agent.mjs')
  const unshare = ['--net', process.execPath, '--disable-warning=ExperimentalWarning', program, ...args]
  const { status, stdout, stderr } = spawnSync('unshare', unshare, { env: { ...process.env, UPDRAFT_HOME: home } })
  return { exitCode: status, stdout: stdout.toString(), stderr: stderr.toString() }
}

describeWith([needsRoot, needsProgram('unshare')], 'without any network at all', () => {
  test('a file is imported and proved, and what is installed is proved file by file', async () => {
    const agent = await isolated('unshared')
    const file = fileOf('1.1.0')
    expect(runWithoutNetwork(agent, ['verify', file])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('acme 1.1.0 (any) on stable'),
    })
    expect(runWithoutNetwork(agent, ['import', file])).toMatchObject({ exitCode: 0 })
    const good = runWithoutNetwork(agent, ['verify', 'acme', '--json'])
    expect({ ...good, ...JSON.parse(good.stdout) }).toMatchObject({ exitCode: 0, isGood: true, differences: [] })

    await writeFile(join(agent.installedPath, 'lib/stays.txt'), 'other')
    const altered = runWithoutNetwork(agent, ['verify', 'acme', '--sarif'])
    expect({ ...altered, ...JSON.parse(altered.stdout) }).toMatchObject({
      exitCode: 6,
      runs: [{ results: [{ ruleId: 'tree-altered' }, { ruleId: 'file-changed' }] }],
    })
    expect(runWithoutNetwork(agent, ['verify', fileOf('1.0.0')])).toMatchObject({
      exitCode: 6,
      stdout: expect.stringContaining('metadata-rollback'),
    })
  })
})

test('a file that is put into the import folder is imported once it is whole; a refused one is told, and both stay', async () => {
  const agent = await isolated('folder')
  const folder = join(agent.home, 'drop')
  await mkdir(folder)
  await changeSettings(agent, (text) => text.replace('"network": {', `"importFolder": "${folder}", "network": {`))
  await agent.start()
  const signal = AbortSignal.timeout(40_000)
  const outcomes = async (cursor: number, change: () => Promise<void>) => {
    await change()
    for await (const recorded of agent.client.events(cursor, { signal })) {
      if (recorded.event.kind === 'import') return { cursor: recorded.cursor, code: recorded.event.error?.code }
    }
    throw new Error('the agent stopped')
  }
  const whole = await readFile(fileOf('1.1.0'))
  const path = join(folder, 'acme.tar')
  const { cursor } = await agent.client.status()
  const half = await outcomes(cursor, () => writeFile(path, whole.subarray(0, whole.length >> 1)))
  expect(half.code).toBe('EXPORT_INVALID')
  await expect(digestOfTree(agent.installedPath)).rejects.toThrow()
  const complete = await outcomes(half.cursor, () => appendFile(path, whole.subarray(whole.length >> 1)))
  expect(complete.code).toBeUndefined()
  expect(await digestOfTree(agent.installedPath)).toBe(digests.get('1.1.0'))
  const older = await outcomes(complete.cursor, () => copyFile(fileOf('1.0.0'), join(folder, 'older.tar')))
  expect(older.code).toBe('METADATA_ROLLBACK')
  expect(await readdir(folder)).toEqual(['acme.tar', 'older.tar'])
  expect(await digestOfTree(agent.installedPath)).toBe(digests.get('1.1.0'))
  expect(await stagedBy(agent)).toEqual([])
  await agent.stop()
})

test('an agent that is killed while it imports has the old or the new version, and imports it then', async () => {
  const agent = await isolated('killed')
  expect(await agent.run(['import', fileOf('1.0.0')])).toMatchObject({ exitCode: 0 })
  for (const wanted of ['downloading', 'verifying', 'activating', 'installed', 'seeding']) {
    await agent.start()
    const { cursor } = await agent.client.status()
    const importing = agent.client.import({ file: fileOf('1.1.0') }).catch(() => undefined)
    for await (const { event } of agent.client.events(cursor)) {
      if (event.kind === wanted || (event.kind === 'update' && event.update.state === wanted)) break
    }
    await agent.running().kill()
    await importing
    const digest = await digestOfTree(agent.installedPath)
    expect({ wanted, isWhole: [...digests.values()].includes(digest) }).toEqual({ wanted, isWhole: true })
    if (digest === digests.get('1.1.0')) break
  }
  expect(await agent.run(['import', fileOf('1.1.0')])).toMatchObject({ exitCode: 0 })
  expect(await digestOfTree(agent.installedPath)).toBe(digests.get('1.1.0'))
  expect(await stagedBy(agent)).toEqual([])
  expect(await agent.run(['verify', 'acme'])).toMatchObject({ exitCode: 0 })
})
