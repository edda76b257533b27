// When the agent takes a patch, and that it is only ever a saving: whatever is wrong with one is told, and leaves the chunks.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makePatch } from '@updraft/core/bundle/patch/patch'
import { UpdateError } from '@updraft/core/errors'
import { parsePlatform, parseProduct, parseReleaseVersion, patchNameOf } from '@updraft/core/names'
import type { ReleasePatch } from '@updraft/core/release'
import { createMetainfo, type Metainfo } from '@updraft/core/swarm/metainfo'
import type { Swarm } from '@updraft/core/swarm/swarm'
import type { KnownBundle } from '../../agent/src/fetch/local.ts'
import { choosePatch, fetchPatch, type PatchedRelease } from '../../agent/src/fetch/patch.ts'
import type { TrustedRelease } from '../../agent/src/refresh.ts'
import { type Bundle, bundle, installTree, prose } from '../core/bundle/bundle-support.ts'
import { openTargetServer, type TargetServer } from '../support/target-server.ts'

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const name = {
  product: parseProduct('acme'),
  version: parseReleaseVersion('2.0.0'),
  platform: parsePlatform('any'),
}

let directory: string
let server: TargetServer
let warnings: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updraft-patch-'))
  await mkdir(join(directory, 'staging'))
  warnings = []
  server = await openTargetServer()
})

afterEach(async () => {
  await server[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

interface Scene {
  readonly older: Bundle
  readonly newer: Bundle
  readonly known: KnownBundle
  readonly patch: Buffer
  readonly signed: ReleasePatch
  readonly metainfo: Metainfo
  readonly release: TrustedRelease
}

/** A release with a patch, and a machine that has the older one. */
const scene = async (): Promise<Scene> => {
  const older = await bundle({ a: prose(200_000, 'a') })
  const newer = await bundle({ a: prose(200_000, 'a').replaceAll('value: number', 'value: bigint') }, older)
  const patch = (await makePatch({ older, newer })) ?? Buffer.alloc(0)
  const from = sha256Of(older.indexBytes)
  const file = join(directory, 'made-patch')
  await writeFile(file, patch)
  const metainfo = await createMetainfo({
    name: patchNameOf(name, from),
    files: [{ path: 'patch', file }],
    pieceLength: 16384,
    trackers: [],
    webSeeds: [],
  })
  const metainfoSha256 = sha256Of(metainfo.bytes)
  server.files.set(`/targets/acme/2.0.0/${metainfoSha256}.any.patch.torrent`, metainfo.bytes)
  const signed = {
    from,
    lengthBytes: patch.length,
    sha256: sha256Of(patch),
    btih: metainfo.infoHash,
    metainfo: { lengthBytes: metainfo.bytes.length, sha256: metainfoSha256 },
  }
  const known = { index: older.index, indexSha256: from, packPath: older.packPath, treePath: await installTree(older) }
  return { older, newer, known, patch, signed, metainfo, release: releaseWith([signed]) }
}

const releaseWith = (patches: readonly ReleasePatch[], zstd = process.versions.zstd): TrustedRelease =>
  ({
    repositoryUrl: server.url,
    release: {
      ...name,
      patches,
      zstd,
      torrent: { pieceLength: 16384, trackers: [], webSeeds: [] },
      sizes: { indexBytes: 700 },
    },
  }) as unknown as TrustedRelease

/** A swarm in which somebody has these bytes; without any, nobody has it. */
const swarmWith = (bytes: Buffer | undefined): Pick<Swarm, 'add'> => ({
  add: async ({ metainfo, directory }) => {
    const path = join(directory, metainfo.name, 'patch')
    await mkdir(dirname(path), { recursive: true })
    if (bytes !== undefined) await writeFile(path, bytes)
    const haveBytes = bytes === undefined ? 5 : metainfo.lengthBytes
    return {
      infoHash: metainfo.infoHash,
      state: () => ({
        done: true,
        haveBytes,
        totalBytes: metainfo.lengthBytes,
        bytes: { peers: haveBytes, origin: 0, reused: 0 },
        uploadedBytes: 0,
        peers: 1,
        origins: 0,
        seeds: 1,
        webSeeds: 0,
      }),
      whenDone: async () => {
        if (bytes === undefined) throw new UpdateError('SWARM_STALLED', 'nobody has it')
      },
      whenHave: async () => {},
      remove: async () => {},
    }
  },
})

const fetchWith = async ({ newer, known, release }: Scene, swarm: Pick<Swarm, 'add'>) =>
  await fetchPatch(release, newer.index, [known], {
    directory: join(directory, 'staging'),
    swarm,
    peers: [],
    signal: new AbortController().signal,
    onProgress: () => {},
    onWarning: (message) => warnings.push(message),
  })

describe('a patch is chosen', () => {
  const choose = ({ newer }: Scene, release: PatchedRelease, known: readonly KnownBundle[]) =>
    choosePatch(release, newer.index, known)?.patch

  test('where one starts from an installed release, the shortest of several', async () => {
    const here = await scene()
    const { known, signed } = here
    const longer = { ...signed, from: 'f'.repeat(64), lengthBytes: signed.lengthBytes + 1 }
    const other = { ...known, indexSha256: longer.from }
    expect(choose(here, releaseWith([longer, signed]).release, [other, known])).toEqual(signed)
    expect(choose(here, releaseWith([longer, signed]).release, [other])).toEqual(longer)
  })

  test.each<readonly [string, (here: Scene) => readonly [PatchedRelease, readonly KnownBundle[]]]>([
    ['there is none', ({ known }) => [releaseWith([]).release, [known]]],
    ['nothing is here', ({ release }) => [release.release, []]],
    ['it starts from another release', ({ release, known }) => [release.release, [{ ...known, indexSha256: '0' }]]],
    ['the tree is gone', ({ release, known }) => [release.release, [{ ...known, treePath: undefined }]]],
    [
      'chunks are as few bytes',
      ({ signed, known }) => [releaseWith([{ ...signed, lengthBytes: 1e6 }]).release, [known]],
    ],
    [
      'the frames were made with another zstd',
      ({ signed, known }) => [releaseWith([signed], '9.9.9').release, [known]],
    ],
    [
      'everything is here already',
      ({ release, known, newer }) => [release.release, [known, { ...known, index: newer.index, indexSha256: '1' }]],
    ],
  ])('but not where %s', async (_why, make) => {
    const here = await scene()
    const [release, known] = make(here)
    expect(choose(here, release, known)).toBeUndefined()
  })
})

describe('a patch that was fetched', () => {
  test('gives the new content, and is there to be given back', async () => {
    const here = await scene()
    const { made, bytes, metainfo } = await fetchWith(here, swarmWith(here.patch))
    expect(made?.tree.index.references.length).toBeGreaterThan(0)
    expect(bytes).toEqual({ peers: here.patch.length, origin: 0, reused: 0 })
    expect(metainfo?.infoHash).toBe(here.signed.btih)
    expect(await readdir(join(directory, 'staging'))).toEqual(
      expect.arrayContaining([here.metainfo.name, 'new-content']),
    )
    expect(warnings).toEqual([])
  })

  test.each<readonly [string, (here: Scene) => Promise<readonly [Scene, Buffer | undefined]>, RegExp]>([
    ['nobody has', async (here) => [here, undefined], /nobody has it/],
    ['has other bytes than the signed ones', async (here) => [here, Buffer.from('other')], /signed is/],
    [
      'is signed and no patch',
      async (here) => {
        const bytes = Buffer.from('no patch at all')
        return [{ ...here, release: releaseWith([{ ...here.signed, sha256: sha256Of(bytes) }]) }, bytes]
      },
      /does not begin like one/,
    ],
    [
      'has other metainfo than the signed one',
      async (here) => {
        server.files.set(`/targets/acme/2.0.0/${here.signed.metainfo.sha256}.any.patch.torrent`, Buffer.from('other'))
        return [here, here.patch]
      },
      /signed are/,
    ],
    [
      'has metainfo of another torrent',
      async (here) => [{ ...here, release: releaseWith([{ ...here.signed, btih: 'a'.repeat(40) }]) }, here.patch],
      /torrent of the patch is/,
    ],
    [
      'has no metainfo',
      async (here) => {
        server.files.clear()
        return [here, here.patch]
      },
      /is not there/,
    ],
  ])('and %s is told, left out and removed', async (_what, make, message) => {
    const [here, bytes] = await make(await scene())
    const patched = await fetchWith(here, swarmWith(bytes))
    expect(patched).toMatchObject({ made: undefined, metainfo: undefined })
    expect(warnings).toEqual([expect.stringMatching(message)])
    expect(await readdir(join(directory, 'staging'))).not.toContain(here.metainfo.name)
  })

  test('in vain is counted', async () => {
    const here = await scene()
    expect((await fetchWith(here, swarmWith(undefined))).bytes).toEqual({ peers: 5, origin: 0, reused: 0 })
  })
})
