// A restart of the agent is no pardon for whoever sent bad data, and no longer sentence either.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { rememberedBans } from '@updraft/agent/remembered-bans'
import { openStore, type Store } from '@updraft/agent/store'
import { BAN_TERM_MS } from '@updraft/core/swarm/peers/bans'

let directory: string
let store: Store
let time = Date.parse('2026-05-01T00:00:00Z')
let warnings: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'updraft-bans-'))
  store = openStore(directory)
  warnings = []
})
afterEach(() => {
  store[Symbol.dispose]()
  rmSync(directory, { recursive: true })
})

const start = () =>
  rememberedBans({
    store: store.bans,
    log: { warn: (message) => void warnings.push(message) },
    now: () => new Date(time),
  })
const restart = () => {
  store[Symbol.dispose]()
  store = openStore(directory)
  return start()
}

test('a ban holds over a restart, and ends when it would have ended', () => {
  start().ban('address 192.0.2.1', 'sent bad data')
  time += BAN_TERM_MS - 1
  const bans = restart()
  expect([bans.isBanned('address 192.0.2.1'), bans.isBanned('address 192.0.2.2')]).toEqual([true, false])
  time += 1
  expect([bans.isBanned('address 192.0.2.1'), restart().isBanned('address 192.0.2.1')]).toEqual([false, false])
  expect(warnings).toEqual(['banned address 192.0.2.1: sent bad data'])
})

test('a clock that was set back makes none longer than its term', () => {
  start().ban('peer 2d55', 'sent bad data')
  time -= 365 * 24 * 3_600_000
  const bans = restart()
  time += BAN_TERM_MS - 1
  expect(bans.isBanned('peer 2d55')).toBe(true)
  time += 1
  expect(bans.isBanned('peer 2d55')).toBe(false)
})

test('of too many, those that end first are forgotten, and ended ones with the next', () => {
  const at = (seconds: number) => new Date(time + seconds * 1_000).toISOString()
  for (const [index, subject] of ['a', 'b', 'c'].entries()) {
    store.bans.put({ subject, reason: '', until: at(index + 1) }, at(0), 2)
  }
  expect(store.bans.lasting(at(0)).map(({ subject }) => subject)).toEqual(['b', 'c'])
  store.bans.put({ subject: 'd', reason: '', until: at(9) }, at(2), 2)
  expect(store.bans.lasting(at(0)).map(({ subject }) => subject)).toEqual(['c', 'd'])
})

test('one that cannot be written down holds all the same', () => {
  const bans = start()
  store[Symbol.dispose]()
  bans.ban('address 192.0.2.1', 'sent bad data')
  expect(bans.isBanned('address 192.0.2.1')).toBe(true)
  expect(warnings[1]).toMatch(/^the ban is forgotten when the agent stops: /)
  store = openStore(directory)
})
