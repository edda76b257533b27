import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeIndexPatch } from '@updraft/core/bundle/index-patch'
import { parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { fetchIndex, type IndexedRelease } from '../../agent/src/fetch/signed-index.ts'
import { encodeIndex } from '../../core/src/bundle/index-file.ts'
import { claim } from '../core/bundle/index-support.ts'
import { openTargetServer, type TargetServer } from '../support/target-server.ts'

const indexOf = (chunks: number): Buffer =>
  encodeIndex(
    claim(
      [{ packed: 5_000, length: chunks, chunks: Array.from({ length: chunks }, (_, at) => [at, 1] as const) }],
      Array.from({ length: chunks }, (_, chunk) => ({ path: `f${String(chunk).padStart(4, '0')}`, chunks: [chunk] })),
    ),
  )
const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const older = indexOf(500)
const newer = indexOf(510)

let directory: string
let server: TargetServer
let warnings: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updraft-index-'))
  warnings = []
  server = await openTargetServer()
})

afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

/** What was asked for, by the last part of its name. */
const asked = (): string[] => server.asked.map((path) => path.slice(path.lastIndexOf('.') + 1))

const haveLocally = async (...indexes: readonly Buffer[]) => {
  const local: { readonly bundleDirectory: string; readonly treePath: undefined }[] = []
  for (const [number, bytes] of indexes.entries()) {
    const bundleDirectory = join(directory, String(number))
    await mkdir(bundleDirectory)
    await writeFile(join(bundleDirectory, 'index'), bytes)
    local.push({ bundleDirectory, treePath: undefined })
  }
  return local
}

/** What is signed: the newer index, and a patch to it from the older one. The server has both, `served` instead if given. */
const release = (patch: Buffer, served: Buffer = patch): IndexedRelease => {
  const folder = '/targets/acme/2.0.0/'
  server.files.set(`${folder}${sha256Of(newer)}.any.index`, newer)
  server.files.set(`${folder}${sha256Of(patch)}.any.index-patch`, served)
  return {
    index: { path: 'acme/2.0.0/any.index', lengthBytes: newer.length, sha256: sha256Of(newer) },
    repositoryUrl: server.url,
    release: {
      product: parseProduct('acme'),
      version: parseReleaseVersion('2.0.0'),
      platform: parsePlatform('any'),
      indexPatches: [{ from: sha256Of(older), lengthBytes: patch.length, sha256: sha256Of(patch) }],
    },
  }
}

const goodPatch = async (): Promise<Buffer> => (await makeIndexPatch(older, newer)) ?? Buffer.alloc(0)

const fetchWith = async (signed: IndexedRelease, local: Awaited<ReturnType<typeof haveLocally>>) =>
  await fetchIndex(signed, {
    local,
    signal: new AbortController().signal,
    onWarning: (message) => warnings.push(message),
  })

describe('the index of a release', () => {
  test('comes as a patch where an older one is here', async () => {
    expect(await fetchWith(release(await goodPatch()), await haveLocally(indexOf(3), older))).toEqual(newer)
    expect(asked()).toEqual(['index-patch'])
    expect(warnings).toEqual([])
  })

  test('is not fetched at all where it is here already', async () => {
    expect(await fetchWith(release(await goodPatch()), await haveLocally(newer))).toEqual(newer)
    expect(asked()).toEqual([])
  })

  test('is fetched whole where nothing is here, or nothing that a patch starts from', async () => {
    const signed = release(await goodPatch())
    const damaged = Buffer.from(older)
    damaged[100] = (damaged[100] ?? 0) ^ 1
    expect(await fetchWith(signed, [])).toEqual(newer)
    expect(await fetchWith(signed, await haveLocally(damaged, indexOf(7)))).toEqual(newer)
    expect(asked()).toEqual(['index', 'index'])
  })

  test.each([
    ['is not there', async () => ({ patch: Buffer.from('gone'), served: undefined })],
    ['has other bytes than the signed ones', async () => ({ patch: await goodPatch(), served: Buffer.alloc(50) })],
    ['is longer than signed', async () => ({ patch: await goodPatch(), served: Buffer.alloc(1_000_000) })],
    ['is signed, and garbage', async () => ({ patch: Buffer.alloc(64), served: Buffer.alloc(64) })],
    [
      'is signed, and makes another index',
      async () => {
        const patch = (await makeIndexPatch(older, indexOf(520))) ?? Buffer.alloc(0)
        return { patch, served: patch }
      },
    ],
  ])('is fetched whole where its patch %s', async (_, make) => {
    const { patch, served } = await make()
    const signed = release(patch, served)
    if (served === undefined)
      for (const name of server.files.keys()) if (name.endsWith('-patch')) server.files.delete(name)
    expect(await fetchWith(signed, await haveLocally(older))).toEqual(newer)
    expect(asked()).toEqual(['index-patch', 'index'])
    expect(warnings).toEqual([expect.stringMatching(/^the index is fetched whole, its patch was of no use: /)])
  })
})
