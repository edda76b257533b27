// The commands by which an owner says what is to happen with a product, as processes: with a running agent and without one.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openStore } from '@updraft/agent/store'
import { controlClient } from '@updraft/core/control/client'
import { parseProduct } from '@updraft/core/names'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { processesNaming } from '../support/processes.ts'
import { type Ended, runToEnd, startProgram } from '../support/programs.ts'

const PROGRAM = join(import.meta.dirname, '../support/fake-agent.ts')
const ACME = parseProduct('acme')

let home: TemporaryHome

beforeEach(() => {
  home = temporaryHome()
})
afterEach(() => {
  expect(processesNaming(home.root)).toEqual([])
  home[Symbol.dispose]()
})

const run = (...args: string[]): Promise<Ended> => runToEnd(PROGRAM, args, { environment: { UPDRAFT_HOME: home.root } })
const kept = () => {
  using store = openStore(home.stateDirectory, { readOnly: true })
  return store.wishes.of(ACME)
}

test.each(['hold', 'unhold', 'approve', 'skip'])('%s --help shows an example', async (command) => {
  const { code, stdout } = await run(command, '--help')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^ {2}\$ updraft-agent /m)
})

test('without a running agent they are written down for the next one', async () => {
  await run('install', 'acme')
  const held = await run('hold', 'acme', '3d')
  expect(held).toMatchObject({ code: 0, stderr: '' })
  expect(held.stdout).toMatch(/^acme is held for 3 days, until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n$/)
  expect(Date.parse(kept().hold?.until ?? '') - Date.now()).toBeGreaterThan(71 * 3_600_000)
  expect((await run('hold', 'acme', 'forever')).stdout).toBe('acme is held until: updraft-agent unhold acme\n')
  expect(kept().hold?.until).toBeUndefined()
  expect((await run('unhold', 'acme')).stdout).toBe('acme is no longer held\n')
  expect((await run('unhold', 'acme')).stdout).toBe('acme was not held\n')
  expect((await run('skip', 'acme', '1.0.0')).stdout).toBe('acme 1.0.0 is skipped\n')
  expect(JSON.parse((await run('approve', 'acme', '1.0.0', '--json')).stdout)).toEqual({
    product: 'acme',
    kind: 'approve',
    version: '1.0.0',
    changed: true,
  })
  expect([...kept().verdicts]).toEqual([['1.0.0', 'approved']])
})

test('a running agent takes them down itself, and looks at the product anew', async () => {
  await run('install', 'acme')
  await using agent = startProgram(PROGRAM, ['run'], { environment: { UPDRAFT_HOME: home.root } })
  await agent.said('runs on')
  const client = controlClient(home.socketPath)
  const { cursor } = await client.status()
  expect((await run('hold', 'acme', '12h', '--json')).code).toBe(0)
  const kinds: string[] = []
  for await (const { event } of client.events(cursor)) {
    kinds.push(event.kind)
    if (kinds.includes('check') && event.kind === 'idle') break
  }
  expect(kept().hold?.until).toBeDefined()
})

describe('what is refused', () => {
  test.each<[string, readonly string[], number, string]>([
    ['a duration that is none', ['hold', 'acme', 'soon'], 2, '"soon" is not a duration'],
    ['a duration of nothing', ['hold', 'acme', '0h'], 2, '"0h" is not a duration'],
    ['a duration longer than ten years', ['hold', 'acme', '600w'], 2, '"600w" is not a duration'],
    ['a hold without a duration', ['hold', 'acme'], 2, "missing required argument 'duration'"],
    [
      'a product that is not there',
      ['hold', 'ghost', '3d'],
      3,
      'product ghost is neither in the settings nor installed',
    ],
    ['a version that is not offered', ['skip', 'acme', '9.9.9'], 3, 'acme 9.9.9 is not offered to this machine'],
    ['an approval of nothing', ['approve', 'acme'], 3, 'no release of acme waits for approval'],
    ['a version that is none', ['approve', 'acme', 'v1'], 2, 'version "v1" is not a semver version'],
  ])('%s', async (_, args, code, says) => {
    await run('install', 'acme')
    const ended = await run(...args)
    expect(ended.code).toBe(code)
    expect(ended.stderr).toContain(says)
    expect(kept()).toEqual({ hold: undefined, verdicts: new Map() })
    expect(existsSync(home.socketPath)).toBe(false)
  })
})
