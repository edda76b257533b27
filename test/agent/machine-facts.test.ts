// What is read off the machine: its id is made once, a battery is told from a mouse, and what is not there is not known.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { readMachineFacts } from '@updraft/agent/machine-facts'
import type { MeteredSetting } from '@updraft/agent/settings/metered'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'

const NOW = new Date('2026-01-14T12:00:00.000Z')

let home: TemporaryHome

beforeEach(() => {
  home = temporaryHome()
  mkdirSync(home.stateDirectory)
})
afterEach(() => home[Symbol.dispose]())

const facts = () => readMachineFacts(home, NOW, { powerSupplies: join(home.root, 'power') })

describe('the id of the machine', () => {
  const file = () => join(home.stateDirectory, 'machine-id')

  test('is made once, at random, for its owner alone', async () => {
    const { machineId } = await facts()
    expect(machineId).toMatch(/^[0-9a-f]{64}$/)
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    expect((await facts()).machineId).toBe(machineId)
    using other = temporaryHome()
    mkdirSync(other.stateDirectory)
    expect((await readMachineFacts(other, NOW)).machineId).not.toBe(machineId)
  })

  test.each([
    ['empty', ''],
    ['half', 'ab'.repeat(16)],
    ['something else', 'x'.repeat(5_000)],
  ])('that is %s is made anew', async (_, text) => {
    writeFileSync(file(), text)
    const { machineId } = await facts()
    expect(readFileSync(file(), 'utf8')).toBe(`${machineId}\n`)
  })
})

describe('power', () => {
  type Supplies = Readonly<Record<string, Readonly<Record<string, string>>>>
  const battery = { type: 'Battery', status: 'Discharging' }
  test.each<[string, Supplies | undefined, boolean | undefined]>([
    ['a system that does not tell', undefined, undefined],
    ['a desktop', {}, false],
    ['a laptop on its battery', { AC: { type: 'Mains', online: '0' }, BAT0: battery }, true],
    ['a laptop that is plugged in', { AC: { type: 'Mains', online: '1' }, BAT0: battery }, false],
    ['a laptop on a USB charger', { USB: { type: 'USB', online: '1' }, BAT0: battery }, false],
    ['a full battery', { BAT0: { type: 'Battery', status: 'Full' } }, false],
    ['a mouse on a desktop', { hid: { ...battery, scope: 'Device' } }, false],
    ['two batteries, one of them empty', { BAT0: { type: 'Battery', status: 'Unknown' }, BAT1: battery }, true],
  ])('%s', async (_, supplies, expected) => {
    for (const [name, files] of Object.entries(supplies ?? {})) {
      mkdirSync(join(home.root, 'power', name), { recursive: true })
      for (const [file, text] of Object.entries(files)) writeFileSync(join(home.root, 'power', name, file), `${text}\n`)
    }
    if (supplies !== undefined) mkdirSync(join(home.root, 'power'), { recursive: true })
    expect((await facts()).onBattery).toBe(expected)
  })
})

describe('a metered connection', () => {
  const script = (text: string): string => {
    const file = join(home.root, 'says')
    writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    return file
  }
  const metered = async (setting: MeteredSetting | undefined, networkManager?: string) =>
    (
      await readMachineFacts(home, NOW, {
        metered: setting,
        ...(networkManager === undefined ? {} : { askNetworkManager: [networkManager] }),
      })
    ).metered

  test.each<[string, boolean | undefined]>([
    ['echo "u 1"', true],
    ['echo "u 2"', false],
    ['echo "u 3"', true],
    ['echo "u 4"', false],
    ['echo "u 0"', undefined],
    ['echo "Failed to connect to bus" >&2; exit 1', undefined],
    ['echo "u 1"; exit 1', undefined],
  ])('NetworkManager says: %s', async (text, expected) => {
    expect(await metered('auto', script(text))).toBe(expected)
  })

  test.each<[string, boolean | undefined]>([
    ['exit 0', true],
    ['exit 1', false],
    ['exit 2', undefined],
    ['kill -9 $$', undefined],
    ['yes', undefined],
  ])('a program of the owner does: %s', async (text, expected) => {
    expect(await metered({ command: [script(text)] })).toBe(expected)
  })

  test('a program that is not there, or no system to ask, says nothing', async () => {
    expect(await metered({ command: [join(home.root, 'gone')] })).toBeUndefined()
    expect(await metered('auto', join(home.root, 'gone'))).toBeUndefined()
  })

  test('looks at two products at once do not end the program that the other one asks', async () => {
    const begun = join(home.root, 'begun')
    const slow = join(home.root, 'slow')
    writeFileSync(slow, `#!/bin/sh\n: > ${begun}\nsleep 1\nexit 0\n`, { mode: 0o755 })
    const ask = (asker: string, program: string) =>
      readMachineFacts(home, NOW, { metered: { command: [program] }, asker })
    const slowly = ask('acme', slow)
    while (!existsSync(begun)) await new Promise((next) => setTimeout(next, 10))
    expect((await ask('other', script('exit 1'))).metered).toBe(false)
    expect((await slowly).metered).toBe(true)
  })

  test('what the settings say needs nobody, and nobody is asked whom no product needs', async () => {
    expect([await metered('always'), await metered('never')]).toEqual([true, false])
    expect(await metered(undefined, script('echo "u 1"'))).toBeUndefined()
  })
})

test('the rest is what the system says', async () => {
  const { timeZone, load, freeBytes, now } = await facts()
  expect(now).toBe(NOW)
  expect(timeZone).toMatch(/^\w+/)
  expect(load).toBeGreaterThanOrEqual(0)
  expect(freeBytes).toBeGreaterThan(0)
})

test('what is staged is counted by release, without the holes of a pack', async () => {
  expect((await facts()).stagedBytes).toEqual(new Map())
  const bundle = join(home.dataDirectory, 'staging', 'acme_1.0.0_any', 'acme_1.0.0_any')
  mkdirSync(bundle, { recursive: true })
  mkdirSync(join(home.dataDirectory, 'staging', 'acme_2.0.0_any'))
  writeFileSync(join(bundle, 'index'), Buffer.alloc(8_192, 1))
  const { stagedBytes } = await facts()
  expect(stagedBytes.get('acme_1.0.0_any')).toBeGreaterThanOrEqual(8_192)
  expect(stagedBytes.get('acme_2.0.0_any')).toBe(0)
})
