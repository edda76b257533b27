// Whose the agent's folders are, and whose those above them: what others could replace is no home for an agent.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { assertHomeIsOwn, faultsOfHome } from '@updraft/agent/home-guard'
import { homeOf } from '@updraft/core/control/home'
import { describeWith, needsRoot } from '../support/needs.ts'

const UID = process.geteuid?.() ?? 0
let top: string

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'uh-'))
})
afterEach(() => rmSync(top, { recursive: true }))

/** Makes the folders, each with its mode, and says what is wrong with a home in the last one. */
const judge = async (folders: readonly (readonly [path: string, mode: number])[], home = folders.at(-1)?.[0] ?? '') => {
  for (const [path, mode] of folders) {
    mkdirSync(join(top, path), { recursive: true })
    chmodSync(join(top, path), mode)
  }
  const faults = await faultsOfHome(homeOf({ UPDRAFT_HOME: join(top, home) }), UID)
  return faults.map(({ path, what, level }) => `${level} ${path.slice(top.length + 1)} ${what}`)
}

describe('a home', () => {
  test.each<[string, readonly (readonly [string, number])[], readonly string[]]>([
    [
      'of its own',
      [
        ['a', 0o755],
        ['a/h', 0o700],
      ],
      [],
    ],
    ['that is not there yet', [['a', 0o755]], []],
    [
      'in a folder for everybody in which nobody moves what is not his',
      [
        ['a', 0o1777],
        ['a/h', 0o700],
      ],
      [],
    ],
    ['that everybody may write to', [['h', 0o777]], ['error h may be written by everybody']],
    ['that everybody may write to, sticky', [['h', 0o1777]], ['error h may be written by everybody']],
    [
      'below a folder that everybody may write to',
      [
        ['a', 0o777],
        ['a/h', 0o700],
      ],
      ['error a may be written by everybody'],
    ],
    [
      'with a state that everybody may write to',
      [
        ['h', 0o700],
        ['h/state', 0o707],
      ],
      ['error h/state may be written by everybody'],
    ],
  ])('%s', async (_, folders, expected) => {
    expect(await judge(folders, folders.find(([path]) => path.endsWith('h'))?.[0] ?? 'a/h')).toEqual(expected)
  })

  test('reached by a link is judged where the link leads', async () => {
    mkdirSync(join(top, 'h'))
    mkdirSync(join(top, 'open'))
    chmodSync(join(top, 'open'), 0o777)
    mkdirSync(join(top, 'open/state'))
    symlinkSync('../open/state', join(top, 'h/state'))
    expect(await judge([], 'h')).toEqual(['error open may be written by everybody'])
  })

  test('in a circle of links has an end', async () => {
    symlinkSync('two', join(top, 'one'))
    symlinkSync('one', join(top, 'two'))
    expect(await judge([], 'one')).toEqual([])
  })

  test('that others may write to is none for an agent', async () => {
    chmodSync(top, 0o777)
    const home = homeOf({ UPDRAFT_HOME: join(top, 'h') })
    await expect(assertHomeIsOwn(home, UID)).rejects.toMatchObject({ code: 'HOME_UNSAFE', hint: expect.any(String) })
  })
})

describeWith([needsRoot], 'other owners', () => {
  test('of a folder above, of a link, and a group that may write', async () => {
    mkdirSync(join(top, 'theirs/h'), { recursive: true })
    chownSync(join(top, 'theirs'), 4_242, 4_242)
    expect(await judge([], 'theirs/h')).toEqual(['error theirs belongs to the user 4242'])
    symlinkSync('..', join(top, 'theirs/up'))
    expect(await judge([['h', 0o700]], 'theirs/up/h')).toEqual(['error theirs belongs to the user 4242'])
    const faults = await faultsOfHome(homeOf({ UPDRAFT_HOME: join(top, 'theirs') }), 4_242)
    expect(faults).toEqual([]) // Root may be above anybody.
    chmodSync(join(top, 'theirs'), 0o775)
    const grouped = await faultsOfHome(homeOf({ UPDRAFT_HOME: join(top, 'theirs') }), 4_242)
    expect(grouped.map(({ level, what }) => `${level} ${what}`)).toEqual([
      'warning may be written by the members of its group',
    ])
  })
})
