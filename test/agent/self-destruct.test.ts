// Releases that remove what they run from, and owners who do: what runs afterwards is a version that works, and what the agent
// knows is what is on the disk. The agent is a real one with its real cycle, and gets its releases as files.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { runAgent } from '@updraft/agent/agent'
import { silentLog } from '@updraft/agent/log'
import { openStore } from '@updraft/agent/store'
import { parseReleaseVersion } from '@updraft/core/names'
import { release } from '../publisher/release.ts'
import { openRepositoryWorkspace, type Workspace, writeTree } from '../publisher/workspace.ts'
import { fakeParts, installing, type TemporaryHome } from '../support/fake-agent-parts.ts'
import { ACME, exportedFrom, importing, trustingHome } from '../support/importing.ts'

let workspace: Workspace
let older: Buffer
let newer: Buffer
let home: TemporaryHome

beforeAll(async () => {
  workspace = await openRepositoryWorkspace({ products: [ACME] })
  await writeTree(workspace.build, { version: '1.0.0' })
  await release(workspace, { version: '1.0.0' })
  older = await exportedFrom(workspace)
  await writeTree(workspace.build, { version: '1.1.0' })
  await release(workspace, { version: '1.1.0' })
  newer = await exportedFrom(workspace)
})
afterAll(async () => await workspace[Symbol.asyncDispose]())

beforeEach(async () => {
  home = await trustingHome(workspace)
  expect(await importing(home, older)).toBeUndefined()
})
afterEach(() => home[Symbol.dispose]())

const productDirectory = () => join(home.root, 'products/acme')
const running = (): string => readFileSync(join(productDirectory(), 'current/version'), 'utf8')

/** From now on the probe of the product is this line of a shell. */
const probeBy = (line: string): Promise<void> =>
  writeFile(
    join(home.configDirectory, 'agent.json'),
    JSON.stringify({
      products: { acme: { source: 'main', probe: { command: ['/bin/sh', '-c', line], attempts: 1 } } },
    }),
  )

const known = () => {
  using store = openStore(home.stateDirectory)
  return {
    current: store.installed.current(ACME)?.version,
    open: store.journal.open(ACME)?.version,
    bad: store.badMarks.all(ACME).map(({ version }) => version),
  }
}

describe('a release that removes', () => {
  test.each([
    ['the folder that it runs from', 'rm -rf "$PWD"'],
    ['that folder, and says that it is not well', 'rm -rf "$PWD"; exit 1'],
    ['the link to it', 'rm ../../current'],
    ['the link to it, for another one', 'ln -sfn versions/1.0.0 ../../current'],
  ])('%s is left for the one before it', async (_, line) => {
    await probeBy(line)
    expect(await importing(home, newer)).toMatchObject({
      code: 'PROBE_FAILED',
      message: expect.stringContaining('removed 1.1.0'),
    })
    expect(running()).toBe('1.0.0')
    expect(known()).toEqual({ current: '1.0.0', open: undefined, bad: ['1.1.0'] })
    expect(readdirSync(join(productDirectory(), 'versions'))).toEqual(['1.0.0'])
  })

  test('all versions is told, and what can be had is installed anew', async () => {
    await probeBy('rm -rf ../../../acme')
    expect(await importing(home, newer)).toMatchObject({ code: 'STATE_DAMAGED' })
    expect(existsSync(productDirectory())).toBe(false)
    await probeBy('true')
    expect(await importing(home, newer)).toBeUndefined()
    expect(known()).toEqual({ current: undefined, open: undefined, bad: ['1.1.0'] })
    {
      using store = openStore(home.stateDirectory)
      store.badMarks.lift(ACME, parseReleaseVersion('1.1.0'))
    }
    expect(await importing(home, newer)).toBeUndefined()
    expect([running(), known().current]).toEqual(['1.1.0', '1.1.0'])
  })
})

describe('an installed version that is gone later', () => {
  test('is installed anew, and meanwhile the one before it runs', async () => {
    expect(await importing(home, newer)).toBeUndefined()
    rmSync(join(productDirectory(), 'versions/1.1.0'), { recursive: true })
    await probeBy('test "$(cat ../1.0.0/version)" = 1.0.0 && test -e ../../current/version')
    expect(await importing(home, newer)).toBeUndefined()
    expect([running(), known().current]).toEqual(['1.1.0', '1.1.0'])
    rmSync(join(productDirectory(), 'versions/1.1.0'), { recursive: true })
    expect(await importing(home, older)).toMatchObject({ code: 'METADATA_ROLLBACK' })
    expect([running(), known().current]).toEqual(['1.0.0', '1.0.0'])
  })

  test('with everything else of the product is installed anew', async () => {
    rmSync(productDirectory(), { recursive: true })
    expect(await importing(home, newer)).toBeUndefined()
    expect([running(), known().current]).toEqual(['1.1.0', '1.1.0'])
  })

  test('and is not in the settings any more, is forgotten at the next start', async () => {
    await writeFile(join(home.configDirectory, 'agent.json'), '{}')
    const start = () =>
      runAgent({
        home,
        parts: fakeParts(installing('1.0.0')),
        version: parseReleaseVersion('1.0.0'),
        once: true,
        log: silentLog,
        signal: new AbortController().signal,
      })
    await start()
    expect(known().current).toBe('1.0.0')
    rmSync(productDirectory(), { recursive: true })
    await start()
    expect(known().current).toBeUndefined()
  })
})
