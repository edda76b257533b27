// The offline proof: what is good is called good and described; whatever is not, is named; and nothing is changed by asking.
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type Proof, type ProofOptions, proveFile, proveTree } from '@updraft/agent/proof'
import { sarifOfProof } from '@updraft/agent/proof/sarif'
import { textOfProof } from '@updraft/agent/proof/text'
import { proofAnswer } from '@updraft/agent/proof-answer'
import { openStore } from '@updraft/agent/store'
import { proofSchema } from '@updraft/core/control/api'
import { release } from '../publisher/release.ts'
import {
  fingerprintTree,
  hoursAfter,
  NOW,
  openRepositoryWorkspace,
  type Workspace,
  writeTree,
} from '../publisher/workspace.ts'
import { archiveOf, type Entry } from '../support/archives.ts'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { ACME, entriesOf, exportedFrom, importing, trustingHome } from '../support/importing.ts'

let workspace: Workspace
let older: Buffer
let whole: Buffer
let entries: readonly Entry[]
let home: TemporaryHome

beforeAll(async () => {
  workspace = await openRepositoryWorkspace()
  await writeTree(workspace.build, { 'lib/a.txt': 'a'.repeat(50_000), 'lib/b.txt': 'b' })
  await chmod(join(workspace.build, 'bin/acme'), 0o755)
  await symlink('bin/acme', join(workspace.build, 'acme'))
  await release(workspace, { version: '1.0.0' })
  older = await exportedFrom(workspace)
  await writeTree(workspace.build, { 'lib/b.txt': 'other' })
  await release(workspace, { version: '1.1.0' })
  whole = await exportedFrom(workspace)
  entries = await entriesOf(join(workspace.directory, 'exported.tar'))
})
afterAll(async () => await workspace[Symbol.asyncDispose]())
beforeEach(async () => {
  home = await trustingHome(workspace)
})
afterEach(() => home[Symbol.dispose]())

const options = (more: Partial<ProofOptions> = {}): ProofOptions => ({
  home,
  now: NOW,
  signal: new AbortController().signal,
  ...more,
})

const provenFile = async (bytes: Buffer, more: Partial<ProofOptions> = {}): Promise<Proof> => {
  const path = join(home.root, 'y.tar')
  await writeFile(path, bytes)
  return await proveFile(path, options(more))
}

const codesOf = ({ findings }: Proof): readonly string[] => findings.map(({ code }) => code)

describe('a file', () => {
  test('that is good says what it brings, who signed it, when, and until when', async () => {
    const proof = await provenFile(whole)
    expect(proof).toMatchObject({
      kind: 'file',
      product: 'acme',
      isGood: true,
      findings: [],
      source: { name: 'main', pinnedBy: 'file' },
      rootVersion: 1,
      expires: { role: 'timestamp' },
      releases: [{ version: '1.1.0', platform: 'any', published: NOW.toISOString(), threshold: 1 }],
    })
    expect(proof.releases[0]?.signers).toHaveLength(1)
    expect(textOfProof(proof)).toContain(`signed by    1 of the keys of acme, 1 needed`)
    expect(sarifOfProof(proof, '1.0.0')).toMatchObject({ version: '2.1.0', runs: [{ results: [] }] })
  })

  test('is proved from a given root where no agent ever was', async () => {
    using empty = temporaryHome()
    const rootBytes = await readFile(join(workspace.repository, 'metadata/1.root.json'))
    expect(await provenFile(whole, { home: empty, rootBytes })).toMatchObject({ isGood: true })
    await expect(provenFile(whole, { home: empty })).rejects.toMatchObject({ code: 'ROOT_UNKNOWN' })
    expect(await readdir(empty.root)).toEqual([])
  })

  test('that has expired is still described, and is not good', async () => {
    const proof = await provenFile(whole, { now: hoursAfter(NOW, 24 * 5_000) })
    expect(codesOf(proof)).toEqual(['metadata-expired'])
    expect(proof).toMatchObject({ isGood: false, releases: [{ version: '1.1.0' }] })
  })

  test('that is older than what this machine trusted is a rollback; asking raised nothing', async () => {
    expect(await provenFile(older)).toMatchObject({ isGood: true })
    expect(await importing(home, whole)).toBeUndefined()
    expect(codesOf(await provenFile(older))).toEqual(['metadata-rollback'])
    expect(await provenFile(whole)).toMatchObject({ isGood: true })
  })

  test('of another repository is called that', async () => {
    await using other = await openRepositoryWorkspace()
    await release(other, { version: '1.0.0' })
    expect(codesOf(await provenFile(await exportedFrom(other)))).toEqual(['root-unknown'])
  })

  test.each([
    ['torn', () => whole.subarray(0, -2_000), 'export-invalid'],
    ['with another pack', () => rebuilt(/\/pack$/, (bytes) => bytes.fill(0, 10, 20)), 'bundle-tampered'],
    ['with another patch', () => rebuilt(/\.index-patch$/, (bytes) => bytes.fill(0)), 'export-invalid'],
    [
      'with another index for web seeds',
      () => rebuilt(/^bundles.*\/index$/, (bytes) => bytes.fill(0)),
      'bundle-tampered',
    ],
    ['with a bundle that nobody signed', () => archiveOf([...entries, ...unsigned()]), 'release-unknown'],
  ])('%s is not good', async (_, bytes, code) => {
    const proof = await provenFile(bytes())
    expect(codesOf(proof)).toEqual([code])
    expect(proof.isGood).toBe(false)
    expect(sarifOfProof(proof, '1.0.0')).toMatchObject({ runs: [{ results: [{ ruleId: code, level: 'error' }] }] })
  })
})

const rebuilt = (wanted: RegExp, change: (bytes: Buffer) => void): Buffer =>
  archiveOf(
    entries.map(({ name, bytes }) => {
      const other = Buffer.from(bytes)
      if (wanted.test(name)) change(other)
      return { name, bytes: other }
    }),
  )

const unsigned = (): readonly Entry[] => [
  { name: 'bundles/acme_9.0.0_any/index', bytes: Buffer.from('x') },
  { name: 'bundles/acme_9.0.0_any/pack', bytes: Buffer.from('x') },
]

describe('an installed tree', () => {
  const current = () => join(home.root, 'products/acme/current')
  beforeEach(async () => expect(await importing(home, whole)).toBeUndefined())

  test('as it was signed is good, and asking changes nothing', async () => {
    const before = await fingerprintTree(join(home.root, 'products'))
    const metadata = await readdir(join(home.stateDirectory, 'metadata/main'))
    const proof = await proveTree(ACME, options())
    expect(proof).toMatchObject({
      kind: 'tree',
      isGood: true,
      findings: [],
      differences: [],
      releases: [{ version: '1.1.0' }],
    })
    expect(await fingerprintTree(join(home.root, 'products'))).toEqual(before)
    expect(await readdir(join(home.stateDirectory, 'metadata/main'))).toEqual(metadata)
  })

  test('of which something was removed, changed or added is told file by file', async () => {
    await rm(join(current(), 'README.md'))
    await writeFile(join(current(), 'lib/a.txt'), 'A'.repeat(50_000))
    await writeFile(join(current(), 'lib/b.txt'), 'longer than it was')
    await chmod(join(current(), 'bin/acme'), 0o4755)
    await rm(join(current(), 'acme'))
    await symlink('/bin/sh', join(current(), 'acme'))
    await mkdir(join(current(), 'more'))
    await writeFile(join(current(), 'more/hook.sh'), 'x')
    const proof = await proveTree(ACME, options())
    expect(proof.isGood).toBe(false)
    expect(codesOf(proof)).toEqual(['tree-altered'])
    expect(proof.differences.map(({ kind, path, detail }) => [kind, path, detail])).toEqual([
      ['missing', 'README.md', expect.any(String)],
      ['changed', 'acme', expect.stringContaining('/bin/sh')],
      ['changed', 'bin/acme', expect.stringContaining('4755')],
      ['changed', 'lib/a.txt', expect.stringContaining('SHA-256')],
      ['changed', 'lib/b.txt', expect.stringContaining('18 bytes')],
      ['extra', 'more', expect.any(String)],
      ['extra', 'more/hook.sh', expect.any(String)],
    ])
    expect(textOfProof(proof)).toContain('lib/a.txt')
    const answer = await proofAnswer(ACME, options())
    expect(proofSchema.parse(answer)).toEqual(answer)
    expect(answer).toMatchObject({ isGood: false, differenceCount: 7, differences: proof.differences })
    expect(sarifOfProof(proof, '1.0.0')).toMatchObject({
      runs: [{ results: expect.arrayContaining([expect.objectContaining({ ruleId: 'file-extra' })]) }],
    })
  })

  test('that the link does not lead to is not good', async () => {
    await rm(current())
    await symlink(workspace.build, current())
    expect(codesOf(await proveTree(ACME, options()))).toContain('tree-altered')
    await rm(current())
    expect((await proveTree(ACME, options())).isGood).toBe(false)
  })

  test('is not good once its metadata has expired, was lost or altered, or its index was', async () => {
    expect(codesOf(await proveTree(ACME, options({ now: hoursAfter(NOW, 24 * 5_000) })))).toEqual(['metadata-expired'])
    const index = join(home.root, 'bundles/acme_1.1.0_any/index')
    const bytes = await readFile(index)
    await writeFile(index, Buffer.from(bytes).fill(0, 60, 70))
    expect(codesOf(await proveTree(ACME, options()))).toEqual(['bundle-tampered'])
    await rm(index)
    expect((await proveTree(ACME, options())).isGood).toBe(false)
    await writeFile(index, bytes)
    const metadata = join(home.stateDirectory, 'metadata/main/current')
    const role = await readFile(join(metadata, 'acme.json'), 'utf8')
    await writeFile(join(metadata, 'acme.json'), role.replace('1.1.0', '1.1.1'))
    expect((await proveTree(ACME, options())).isGood).toBe(false)
    await rm(metadata, { recursive: true })
    expect(codesOf(await proveTree(ACME, options()))).toEqual(['metadata-untrusted'])
  })

  test('is proved while an agent has its state open', async () => {
    using _store = openStore(home.stateDirectory)
    expect(await proveTree(ACME, options())).toMatchObject({ isGood: true })
  })
})

test('of what is not installed there is no proof', async () => {
  await expect(proveTree(ACME, options())).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' })
})
