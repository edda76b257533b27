// What is read off the machine: its id is made once, a battery is told from a mouse, and what is not there is not known.
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { readMachineFacts } from '@updraft/agent/machine-facts'
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
