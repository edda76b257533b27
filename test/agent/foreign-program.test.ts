// Programs that settings name and somebody else could change: refused where they are named, and where they would be run.
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { runHook } from '@updraft/agent/hook'
import { readSettings, settingsPathOf } from '@updraft/agent/settings'
import { foreignerOf } from '@updraft/agent/settings/foreign'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { describeWith, needsRoot } from '../support/needs.ts'

const SOMEBODY = 4_711

let home: TemporaryHome
let folder: string
let program: string

beforeEach(() => {
  home = temporaryHome()
  folder = join(home.root, 'bin')
  program = join(folder, 'check')
  mkdirSync(folder)
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 })
})
afterEach(() => home[Symbol.dispose]())

test('those of the system and of the agent itself are its own, and those that are not there', async () => {
  for (const own of ['/bin/sh', process.execPath, program, join(folder, 'gone')]) {
    expect(await foreignerOf(own)).toBeUndefined()
  }
})

test('one that everybody may write to is not, nor one in such a folder; a folder like /tmp is fine', async () => {
  chmodSync(program, 0o777)
  expect(await foreignerOf(program)).toBe(`everybody may write to ${program}`)
  chmodSync(program, 0o755)
  chmodSync(folder, 0o777)
  expect(await foreignerOf(program)).toBe(`everybody may write to ${folder}`)
  chmodSync(folder, 0o1777)
  expect(await foreignerOf(program)).toBeUndefined()
})

describeWith([needsRoot], 'one of another user', () => {
  const cases: readonly (readonly [name: string, make: () => string])[] = [
    [
      'itself',
      () => {
        chownSync(program, SOMEBODY, SOMEBODY)
        return program
      },
    ],
    [
      'in a folder of theirs',
      () => {
        chownSync(folder, SOMEBODY, SOMEBODY)
        return program
      },
    ],
    [
      'behind a link',
      () => {
        chownSync(program, SOMEBODY, SOMEBODY)
        symlinkSync(program, join(home.root, 'link'))
        return join(home.root, 'link')
      },
    ],
  ]
  test.each(cases)('is refused with line and column, and is not run: %s', async (_, make) => {
    const named = make()
    const settings = {
      products: { acme: { source: 'main', probe: { command: [named] } } },
      metered: { command: ['/bin/true'] },
    }
    writeFileSync(settingsPathOf(home.configDirectory), JSON.stringify(settings, undefined, 2))
    await expect(readSettings(home.configDirectory)).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringMatching(/agent\.json:7:11: products\.acme\.probe\.command\.0: .* belongs to user 4711/),
    })
    const { ending } = await runHook([named], {
      directory: '/',
      environment: {},
      mark: home.root,
      timeMs: 5_000,
      atTheEnd: 'kill',
      signal: new AbortController().signal,
    })
    expect(ending).toMatchObject({ kind: 'not-started', why: expect.stringContaining('belongs to user 4711') })
  })
})
