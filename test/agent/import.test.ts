// Importing what was tampered with: whatever is done to an exported file, nothing of it is installed, nothing stays in staging, and
// why is told. The agent is a real one with its real cycle; only its swarm moves nothing.
import { open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { openStore } from '@updraft/agent/store'
import { removeTrustedSource } from '@updraft/agent/trust-store'
import { openExport } from '@updraft/core/archive/export-file'
import { readTarMembers } from '@updraft/core/archive/tar'
import { ERROR_CODES, type ErrorCode } from '@updraft/core/errors'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import fc from 'fast-check'
import { yank } from '../../publisher/src/amend/yank.ts'
import { amend } from '../../publisher/src/amend.ts'
import { release } from '../publisher/release.ts'
import { hoursAfter, NOW, openRepositoryWorkspace, type Workspace, writeTree } from '../publisher/workspace.ts'
import { archiveOf, type Entry } from '../support/archives.ts'
import type { TemporaryHome } from '../support/fake-agent-parts.ts'
import { ACME, entriesOf, exportedFrom, importing, trustingHome } from '../support/importing.ts'
import { pseudoText } from '../support/small-build.ts'

let workspace: Workspace
let older: Buffer
let whole: Buffer
let entries: readonly Entry[]
let home: TemporaryHome

beforeAll(async () => {
  workspace = await openRepositoryWorkspace({ products: [ACME, parseProduct('other')] })
  const text = pseudoText(40_000, 1)
  await writeTree(workspace.build, { 'text.txt': text })
  await release(workspace, { version: '1.0.0' })
  await release(workspace, { version: '1.0.0', product: 'other' })
  older = await exportedFrom(workspace)
  await writeTree(workspace.build, { 'text.txt': text.replaceAll('a', 'b'), 'new.txt': pseudoText(30_000, 2) })
  await release(workspace, { version: '1.1.0' })
  whole = await exportedFrom(workspace)
  entries = await entriesOf(join(workspace.directory, 'exported.tar'))
})
afterAll(async () => await workspace[Symbol.asyncDispose]())

beforeEach(async () => {
  home = await trustingHome(workspace)
})
afterEach(() => home[Symbol.dispose]())

const installed = async (): Promise<string | undefined> => {
  using store = openStore(home.stateDirectory)
  return store.installed.current(ACME)?.version
}

const findings = (): readonly string[] => {
  using store = openStore(home.stateDirectory)
  return store.findings.open(ACME).map(({ code }) => code)
}

const namesIn = async (folder: string): Promise<readonly string[]> =>
  await readdir(join(home.root, folder)).catch(() => [])

/** Refused for a reason that is about trust, and nothing is left of it. */
const expectRefusal = async (
  bytes: Buffer,
  is?: { readonly code: ErrorCode; readonly finding?: string },
): Promise<void> => {
  const error = (await importing(home, bytes)) as { readonly code?: ErrorCode } | undefined
  expect({ error, exit: ERROR_CODES[error?.code ?? 'ABORTED'].exit }).toMatchObject({ exit: 'untrusted' })
  if (is !== undefined) expect(error).toMatchObject({ code: is.code })
  expect([await namesIn('staging'), await namesIn('products'), await namesIn('bundles')]).toEqual([[], [], []])
  if (is?.finding !== undefined) expect(findings()).toEqual([is.finding])
}

/** One file in other words, and the sums as whoever did it would make them. */
const replaced = (wanted: RegExp, change: (bytes: Buffer) => Buffer): Buffer => {
  expect(entries.filter(({ name }) => wanted.test(name))).toHaveLength(1)
  return archiveOf(
    entries.map(({ name, bytes }) => (wanted.test(name) ? { name, bytes: change(bytes) } : { name, bytes })),
  )
}

const flipped = (bytes: Buffer, at = bytes.length >> 1, mask = 1): Buffer => {
  const other = Buffer.from(bytes)
  other[at] = (other[at] ?? 0) ^ mask
  return other
}

test('what was exported is installed', async () => {
  expect(await importing(home, whole)).toBeUndefined()
  expect(await installed()).toBe('1.1.0')
  expect(await namesIn('staging')).toEqual([])
  expect(findings()).toEqual([])
})

test('the file that is rebuilt with its sums is the same, so the attacks below change nothing else', () => {
  expect(archiveOf(entries).equals(whole)).toBe(true)
})

describe('a changed byte', () => {
  /** Header, content and padding of each file, and the end: so that small ones are met as often as large ones. */
  const regions = async (): Promise<readonly (readonly [name: string, start: number, end: number])[]> => {
    const path = join(home.root, 'regions.tar')
    await writeFile(path, whole)
    await using file = await open(path)
    const members = await readTarMembers(file, whole.length)
    const ends = [0, ...members.map(({ offset, lengthBytes }) => offset + Math.ceil(lengthBytes / 512) * 512)]
    return [
      ...members.flatMap(({ name, offset, lengthBytes }, at): [string, number, number][] => [
        [`header of ${name}`, ends[at] ?? 0, offset],
        [name, offset, offset + lengthBytes],
      ]),
      ['end', ends.at(-1) ?? 0, whole.length],
    ]
  }

  test('anywhere in the file is noticed, and nothing of it is installed', async () => {
    const all = await regions()
    const met = new Set<string>()
    await fc.assert(
      fc.asyncProperty(
        fc.nat(all.length - 1),
        fc.nat(999_999),
        fc.integer({ min: 1, max: 255 }),
        async (row, where, mask) => {
          const [name, start, end] = all[row] ?? ['', 0, 0]
          met.add(name)
          await expectRefusal(flipped(whole, start + Math.floor((where / 1_000_000) * (end - start)), mask))
        },
      ),
      { numRuns: 300 },
    )
    expect(met.size).toBeGreaterThan(all.length / 2)
  }, 300_000)

  test.each([
    ['a root', /1\.root/, 'ROOT_UNKNOWN', 'root-unknown'],
    ['the timestamp', /timestamp/, 'METADATA_UNTRUSTED', 'metadata-untrusted'],
    ['the snapshot', /snapshot/, 'METADATA_UNTRUSTED', 'metadata-untrusted'],
    ['the targets', /\.targets\.json/, 'METADATA_UNTRUSTED', 'metadata-untrusted'],
    ["the product's role", /\d\.acme\.json/, 'METADATA_UNTRUSTED', 'metadata-untrusted'],
    ['the pack', /\/pack$/, 'BUNDLE_INVALID', 'bundle-tampered'],
  ] as const)('in %s is refused, however well the rest fits', async (_, wanted, code, finding) => {
    // A digit of a signature: what is still JSON has to be found wrong for what it says.
    const forge = (bytes: Buffer) =>
      Buffer.from(bytes.toString().replace(/("sig": ?")(.)/, (_all, key, digit) => `${key}${digit === '0' ? 1 : 0}`))
    const change = code === 'BUNDLE_INVALID' ? (bytes: Buffer) => flipped(bytes) : forge
    await expectRefusal(replaced(wanted, change), { code, finding })
  })

  test('in an index cannot even be named so', async () => {
    await expectRefusal(
      replaced(/\.index$/, (bytes) => flipped(bytes)),
      { code: 'EXPORT_INVALID' },
    )
  })
})

describe('a file that', () => {
  test('lacks what others name is refused', async () => {
    const without = (wanted: RegExp) => archiveOf(entries.filter(({ name }) => !wanted.test(name)))
    for (const wanted of [/snapshot/, /\.targets\.json/, /\d\.acme\.json/, /timestamp/, /1\.root/]) {
      await expectRefusal(without(wanted), { code: 'EXPORT_INVALID' })
    }
    for (const wanted of [/^targets.*\.index$/, /^targets.*any\.torrent$/]) {
      await expectRefusal(without(wanted), { code: 'EXPORT_INVALID' })
    }
  })

  test('is shorter or longer in its pack is refused', async () => {
    await expectRefusal(replaced(/\/pack$/, (bytes) => bytes.subarray(0, -1)))
    await expectRefusal(
      replaced(/\/pack$/, (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
      { code: 'EXPORT_INVALID' },
    )
  })

  test('is older than what was trusted is refused, and what is installed stays', async () => {
    expect(await importing(home, whole)).toBeUndefined()
    expect(await importing(home, older)).toMatchObject({ code: 'METADATA_ROLLBACK' })
    expect(findings()).toEqual(['metadata-rollback'])
    expect(await installed()).toBe('1.1.0')
    // Nor by forgetting what was cached: the floors are kept elsewhere.
    await rm(join(home.stateDirectory, 'metadata'), { recursive: true })
    expect(await importing(home, older)).toMatchObject({ code: 'METADATA_ROLLBACK' })
    expect(await importing(home, whole)).toBeUndefined()
    expect(findings()).toEqual([])
  })

  test('mixes an old pack into new metadata is refused', async () => {
    const path = join(home.root, 'older.tar')
    await writeFile(path, older)
    await using file = await openExport(path)
    const pack = await file.read('bundles/acme_1.0.0_any/pack', 2 ** 30)
    await expectRefusal(replaced(/\/pack$/, () => pack))
  })

  test('has expired is refused, and it says what to do', async () => {
    const error = await importing(home, whole, hoursAfter(NOW, 24 * 4_000))
    expect(error).toMatchObject({ code: 'METADATA_EXPIRED', hint: expect.stringContaining('export it again') })
    expect(findings()).toEqual(['metadata-expired'])
    expect([await namesIn('staging'), await namesIn('products')]).toEqual([[], []])
  })

  test('brings another product is refused: nobody subscribed to it', async () => {
    const error = await importing(home, await exportedFrom(workspace, parseProduct('other')))
    expect(error).toMatchObject({ code: 'PRODUCT_UNKNOWN', hint: expect.stringContaining('updraft-agent import') })
    expect(await namesIn('products')).toEqual([])
  })

  test('comes from another repository is refused, whatever it says of itself', async () => {
    await using other = await openRepositoryWorkspace()
    await release(other, { version: '3.0.0' })
    await expectRefusal(await exportedFrom(other), { code: 'ROOT_UNKNOWN', finding: 'root-unknown' })
    // With the right root in front, the rest is still not signed by it.
    const [root] = entries
    const bytes = await exportedFrom(other)
    const path = join(home.root, 'y.tar')
    await writeFile(path, bytes)
    const foreign = await entriesOf(path)
    await expectRefusal(archiveOf([...(root === undefined ? [] : [root]), ...foreign.slice(1)]), {
      code: 'METADATA_UNTRUSTED',
    })
    expect(findings()).toContain('metadata-untrusted')
  })

  test('comes from a source that is not trusted is refused', async () => {
    await removeTrustedSource(home.stateDirectory, 'main')
    await expectRefusal(whole, { code: 'ROOT_UNKNOWN', finding: 'root-unknown' })
  })
})

describe('policy', () => {
  test('holds for what is brought as for what comes by network, and lets it in later without another import', async () => {
    const settings = join(home.configDirectory, 'agent.json')
    const text = await readFile(settings, 'utf8')
    await writeFile(settings, text.replace('"source": "main"', '"source": "main", "versionRange": "^2.0.0"'))
    expect(await importing(home, whole)).toBeUndefined()
    expect([await installed(), await namesIn('staging')]).toEqual([undefined, []])
    await writeFile(settings, text)
    expect(await importing(home, whole)).toBeUndefined()
    expect(await installed()).toBe('1.1.0')
  })

  test('lets a machine go back where the publisher has yanked a release and says so', async () => {
    await using other = await openRepositoryWorkspace()
    await release(other, { version: '1.0.0' })
    await release(other, { version: '1.1.0' })
    using own = await trustingHome(other)
    expect(await importing(own, await exportedFrom(other))).toBeUndefined()
    const wayBack = yank({ reason: 'it does not start', goTo: parseReleaseVersion('1.0.0') }, NOW)
    const wanted = {
      repository: other.repository,
      product: ACME,
      version: parseReleaseVersion('1.1.0'),
      platform: undefined,
    }
    await amend(wanted, wayBack, { keys: other.keys, now: NOW })
    const bytes = await exportedFrom(other) // A yanked release is not the newest any more.
    expect(await importing(own, bytes)).toBeUndefined()
    using store = openStore(own.stateDirectory)
    expect(store.installed.current(ACME)?.version).toBe('1.0.0')
  })
})
