// Clocks that jump: noticed however they do, told from clocks that only drift, and outlived by what is installed.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { jumpBetween, watchClock } from '@updraft/agent/clock'
import { openStore } from '@updraft/agent/store'
import { release } from '../publisher/release.ts'
import { hoursAfter, NOW, openRepositoryWorkspace, writeTree } from '../publisher/workspace.ts'
import { ACME, exportedFrom, importing, trustingHome } from '../support/importing.ts'

describe('a jump', () => {
  test.each<[string, wallMs: number, steadyMs: number, jumpMs: number]>([
    ['forward', 3_630_000, 30_000, 3_600_000],
    ['back', -3_570_000, 30_000, -3_600_000],
    ['over a night asleep', 8 * 3_600_000, 0, 8 * 3_600_000],
    ['of a clock that drifts is none', 30_500, 30_000, 0],
    ['of a busy machine is none', 90_000, 90_000, 0],
  ])('%s', (_, wallMs, steadyMs, jumpMs) => {
    const before = { wallMs: 1_000_000, steadyMs: 5_000 }
    expect(jumpBetween(before, { wallMs: 1_000_000 + wallMs, steadyMs: 5_000 + steadyMs })).toBe(jumpMs)
  })

  test('is told once', async () => {
    let offsetMs = 0
    const jumps: number[] = []
    await new Promise<void>((resolve) => {
      const clock = watchClock({
        wall: () => new Date(Date.now() + offsetMs),
        onJump: (jumpMs) => {
          jumps.push(Math.round(jumpMs / 60_000))
          offsetMs = 0
          if (jumps.length < 2) return
          clock[Symbol.dispose]()
          resolve()
        },
        intervalMs: 1,
      })
      offsetMs = 3_600_000
    })
    expect(jumps).toEqual([60, -60])
  })
})

test('forward by years and back again: updates stop and go on, and what is installed runs all the while', async () => {
  await using workspace = await openRepositoryWorkspace({ products: [ACME] })
  const build = (version: string) => writeTree(workspace.build, { version })
  await build('1.0.0')
  await release(workspace, { version: '1.0.0' })
  const first = await exportedFrom(workspace)
  await build('1.1.0')
  await release(workspace, { version: '1.1.0' })
  const second = await exportedFrom(workspace)
  await build('1.2.0')
  await release(workspace, { version: '1.2.0' })
  const third = await exportedFrom(workspace)

  using home = await trustingHome(workspace)
  const running = () => readFile(join(home.root, 'products/acme/current/version'), 'utf8')
  const findings = () => {
    using store = openStore(home.stateDirectory)
    return store.findings.open(ACME).map(({ code }) => code)
  }
  expect(await importing(home, first)).toBeUndefined()
  expect(await importing(home, second, hoursAfter(NOW, 24 * 365 * 10))).toMatchObject({ code: 'METADATA_EXPIRED' })
  expect([await running(), findings()]).toEqual(['1.0.0', ['metadata-expired']])
  expect(await importing(home, second, hoursAfter(NOW, 1))).toBeUndefined()
  expect([await running(), findings()]).toEqual(['1.1.0', []])

  // Set back before the last installation: what was installed last still counts as that.
  expect(await importing(home, third, hoursAfter(NOW, -24))).toBeUndefined()
  expect(await running()).toBe('1.2.0')
  using store = openStore(home.stateDirectory)
  expect(store.installed.kept(ACME).map(({ version }) => version)).toEqual(['1.2.0', '1.1.0'])
  expect(store.events.cursor()).toBe((store.events.after(0, 1_000) ?? []).length)
})
