// The invariants of ARCHITECTURE.md that can be read off the import lines: who may import whom, and which one place
// owns each library. A new file is covered the moment it exists.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from '@jest/globals'

const PROJECT = join(import.meta.dirname, '../..')
const sources = globSync('{core,publisher,agent,extension}/src/**/*.ts', { cwd: PROJECT }).sort()

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const imports: readonly Import[] = sources.flatMap((from) => {
  const text = readFileSync(join(PROJECT, from), 'utf8')
  const statements = text.matchAll(/^\s*(?:import|export)\s+(type\s+)?[^'"]*?from\s+['"]([^'"]+)['"]/gm)
  const bare = text.matchAll(/^\s*import\s+()['"]([^'"]+)['"]/gm)
  const dynamic = text.matchAll(/\bimport\(()\s*['"]([^'"]+)['"]/g)
  return [...statements, ...bare, ...dynamic].map(([, type, specifier = '']) => ({
    from,
    to: specifier.startsWith('.') ? normalize(join(dirname(from), specifier)) : specifier,
    typeOnly: type !== undefined && type !== '',
  }))
})

const offenders = (is: (line: Import) => boolean): string[] =>
  imports.filter(is).map(({ from, to }) => `${from} imports ${to}`)

const packageOf = (file: string): string => file.split('/')[0] ?? ''
const isPackage = (to: string, name: string): boolean => to === name || to.startsWith(`${name}/`)

test('there are sources to check', () => {
  expect(sources.length).toBeGreaterThan(30)
  expect(imports.length).toBeGreaterThan(100)
})

describe('packages', () => {
  test('publisher, agent and extension import core, never each other', () => {
    expect(
      offenders(({ from, to }) =>
        ['publisher', 'agent', 'extension'].some(
          (other) =>
            packageOf(from) !== other &&
            (isPackage(to, `@updraft/${other}`) ||
              to.startsWith(`${other}/`) ||
              (other === 'extension' && to === 'updraft')),
        ),
      ),
    ).toEqual([])
  })

  test('core imports nothing of the others', () => {
    expect(
      offenders(
        ({ from, to }) =>
          packageOf(from) === 'core' && (to.startsWith('@updraft/') || /^(publisher|agent|extension)\//.test(to)),
      ),
    ).toEqual([])
  })

  test('relative imports stay inside their package', () => {
    expect(
      offenders(({ from, to }) => /^(core|publisher|agent|extension)\//.test(to) && packageOf(to) !== packageOf(from)),
    ).toEqual([])
  })

  test('the extension takes only control types, errors, limits and trust words of core', () => {
    expect(
      offenders(
        ({ from, to }) =>
          packageOf(from) === 'extension' &&
          to.startsWith('@updraft/core/') &&
          !/^@updraft\/core\/(control\/|errors$|limits$|trust\/finding$)/.test(to),
      ),
    ).toEqual([])
  })
})

/** Each library and the only places that may import it. */
const OWNERS: readonly [library: string, owner: RegExp][] = [
  ['webtorrent', /^core\/src\/swarm\//],
  ['bittorrent-protocol', /^core\/src\/swarm\//],
  ['bittorrent-tracker', /^publisher\/src\/origin\/|^core\/src\/swarm\//],
  ['tuf-js', /^agent\/src\/refresh(\/|\.ts$)/],
  ['@tufjs/models', /^agent\/src\/refresh\//],
  ['@tufjs/canonical-json', /^core\/src\/trust\//],
  ['node-forge', /^publisher\/src\/keys(\/|\.ts$)/],
  ['vscode', /^extension\/src\/(?!client|state)/],
  ['node:sqlite', /^agent\/src\/store(\/|\.ts$)|^core\/src\/files\/lock\.ts$/],
  ['cli-progress', /^core\/src\/terminal\//],
  ['prom-client', /^core\/src\/exposition\.ts$/],
  ['jsonc-parser', /^agent\/src\/settings(\/|\.ts$)/],
]

describe('one owner per library', () => {
  test.each(OWNERS)('%s', (library, owner) => {
    expect(offenders(({ from, to }) => isPackage(to, library) && !owner.test(from))).toEqual([])
  })
})

/** The rooms of the agent in their order. A room may take the type of the one before it, and nothing else of any. */
const ROOMS = ['refresh', 'plan', 'fetch', 'verify', 'install', 'probe', 'seed', 'report']
const roomOf = (file: string): string | undefined =>
  ROOMS.find((room) => file === `agent/src/${room}.ts` || file.startsWith(`agent/src/${room}/`))

describe('rooms', () => {
  test('a room of the agent imports only types of another room', () => {
    expect(
      offenders(({ from, to, typeOnly }) => {
        const [here, there] = [roomOf(from), roomOf(to)]
        return here !== undefined && there !== undefined && here !== there && !typeOnly
      }),
    ).toEqual([])
  })

  test('only the cycle calls the rooms that touch an installation', () => {
    const guarded = ['verify', 'install']
    expect(
      offenders(({ from, to, typeOnly }) => {
        const room = roomOf(to)
        return (
          room !== undefined &&
          guarded.includes(room) &&
          !typeOnly &&
          roomOf(from) !== room &&
          from !== 'agent/src/cycle.ts'
        )
      }),
    ).toEqual([])
  })

  test('each passport is stamped in one place: the brand of a stage is named in its own room only', () => {
    const stamps = {
      TrustedRelease: 'refresh',
      StagedBundle: 'fetch',
      VerifiedBundle: 'verify',
      InstalledVersion: 'install',
      HealthyVersion: 'probe',
    }
    const cast = (type: string) =>
      sources.filter((file) => new RegExp(`\\bas ${type}\\b`).test(readFileSync(join(PROJECT, file), 'utf8')))
    for (const [type, room] of Object.entries(stamps)) {
      expect(cast(type).filter((file) => roomOf(file) !== room)).toEqual([])
    }
  })
})
