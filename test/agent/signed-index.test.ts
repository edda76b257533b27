import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeIndexPatch } from '@updraft/core/bundle/index-patch'
import { parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { fetchIndex, type IndexedRelease } from '../../agent/src/fetch/signed-index.ts'
import { encodeIndex } from '../../core/src/bundle/index-file.ts'
import { claim } from '../core/bundle/index-support.ts'

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
let server: Server
let base: string
let files: Map<string, Buffer>
let asked: string[]
let warnings: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updraft-index-'))
  files = new Map()
  asked = []
  warnings = []
  server = createServer(({ url = '' }, response) => {
    const name = url.slice(url.lastIndexOf('.') + 1)
    asked.push(name)
    const file = files.get(url)
    response.writeHead(file === undefined ? 404 : 200, { connection: 'close' }).end(file)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})

afterEach(async () => {
  server.close()
  await once(server, 'close')
  await rm(directory, { recursive: true, force: true })
})

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
  files.set(`${folder}${sha256Of(newer)}.any.index`, newer)
  files.set(`${folder}${sha256Of(patch)}.any.index-patch`, served)
  return {
    index: { path: 'acme/2.0.0/any.index', lengthBytes: newer.length, sha256: sha256Of(newer) },
    repositoryUrl: base,
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
    expect(asked).toEqual(['index-patch'])
    expect(warnings).toEqual([])
  })

  test('is not fetched at all where it is here already', async () => {
    expect(await fetchWith(release(await goodPatch()), await haveLocally(newer))).toEqual(newer)
    expect(asked).toEqual([])
  })

  test('is fetched whole where nothing is here, or nothing that a patch starts from', async () => {
    const signed = release(await goodPatch())
    const damaged = Buffer.from(older)
    damaged[100] = (damaged[100] ?? 0) ^ 1
    expect(await fetchWith(signed, [])).toEqual(newer)
    expect(await fetchWith(signed, await haveLocally(damaged, indexOf(7)))).toEqual(newer)
    expect(asked).toEqual(['index', 'index'])
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
    if (served === undefined) for (const name of files.keys()) if (name.endsWith('-patch')) files.delete(name)
    expect(await fetchWith(signed, await haveLocally(older))).toEqual(newer)
    expect(asked).toEqual(['index-patch', 'index'])
    expect(warnings).toEqual([expect.stringMatching(/^the index is fetched whole, its patch was of no use: /)])
  })
})
