// Attacks inside a release, against a real agent process: bundles that the real product key signed, because its owner was
// deceived or its key stolen, and bytes that are not what was signed. What is signed may be unwanted, never unsafe.
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { BundleEntry, BundleIndex } from '@updraft/core/bundle/bundle-index'
import { sortKeyOf } from '@updraft/core/bundle/paths'
import { attackTest } from '../support/attack-row.ts'
import { sha256 } from '../support/repository-simulator.ts'
import type { ForgedBundle } from './hostile-origin.ts'
import { expectKept, expectRefused, openScene, type Refusal, type Scene } from './scene.ts'
import type { Look } from './victim.ts'

const TAMPERED: Refusal = { exitCode: 6, error: 'BUNDLE_INVALID', finding: 'bundle-tampered' }
const TOO_LARGE: Refusal = { exitCode: 6, error: 'LIMIT_EXCEEDED', finding: 'bundle-tampered' }
const STALLED: Refusal = { exitCode: 7, error: 'SWARM_STALLED' }

const withFiles = (bundle: ForgedBundle, files: readonly BundleEntry[]): ForgedBundle => ({
  ...bundle,
  index: {
    ...bundle.index,
    files: [...files].sort((a, b) => (sortKeyOf(a.path) < sortKeyOf(b.path) ? -1 : 1)),
  },
})

/** Adds entries. Files among them are copies of the first file. */
const adding =
  (...entries: readonly (Extract<BundleEntry, { kind: 'link' | 'directory' }> | { kind: 'file'; path: string })[]) =>
  (bundle: ForgedBundle): ForgedBundle => {
    const model = bundle.index.files.find((entry) => entry.kind === 'file' && entry.referenceCount === 0)
    if (model === undefined) throw new Error('the build has no empty file')
    const added = entries.map((entry): BundleEntry => (entry.kind === 'file' ? { ...model, path: entry.path } : entry))
    return withFiles(bundle, [...bundle.index.files, ...added])
  }

type Bend = (bundle: ForgedBundle) => ForgedBundle

const PATHS: readonly [tried: string, bend: Bend][] = [
  ['a file ../escaped', adding({ kind: 'file', path: '../escaped' })],
  ['a file lib/../../escaped', adding({ kind: 'file', path: 'lib/../../escaped' })],
  ['a file with an absolute name', adding({ kind: 'file', path: '/tmp/updraft-escaped' })],
  ['a file behind a backslash', adding({ kind: 'file', path: 'lib\\..\\..\\escaped' })],
  ['a link to /', adding({ kind: 'link', path: 'out', target: '/' })],
  ['a link to ../..', adding({ kind: 'link', path: 'lib/out', target: '../..' })],
  [
    'a link, and a file written through it',
    adding({ kind: 'link', path: 'out', target: 'lib' }, { kind: 'file', path: 'out/escaped' }),
  ],
  ['a file and a link of one name', adding({ kind: 'link', path: 'lib/nothing', target: '../bin' })],
  ['names that differ only in case', adding({ kind: 'file', path: 'LIB2' }, { kind: 'file', path: 'lib2' })],
  [
    'names that differ only in accents’ form',
    adding({ kind: 'file', path: '\u00e9' }, { kind: 'file', path: 'e\u0301' }),
  ],
  ['a name of 300 bytes', adding({ kind: 'file', path: 'n'.repeat(300) })],
  ['a path of 1,200 bytes', adding({ kind: 'file', path: 'lib/empty/'.padEnd(1_200, 'deep/') })],
  ['a device of Windows', adding({ kind: 'file', path: 'nul.txt' })],
]

/** The index with one byte of its digests changed. */
const lying = (column: (index: BundleIndex) => Uint8Array): Bend => {
  return (bundle) => {
    const digests = column(bundle.index)
    digests[0] = (digests[0] ?? 0) ^ 1
    return bundle
  }
}

const HUGE_BYTES = 512 * 1024 * 1024

/** A valid head in front of tables that claim `claimed` bytes and decompress to half a gibibyte of zeros. */
const bombIndex = (claimed: number): Buffer => {
  const head = Buffer.alloc(16)
  head.write('updraft')
  head[7] = 1
  head.writeUInt32LE(claimed, 12)
  return Buffer.concat([head, ZEROS_PACKED])
}

const ZEROS_PACKED = zstdCompressSync(Buffer.alloc(HUGE_BYTES), {
  params: { [constants.ZSTD_c_windowLog]: 20, [constants.ZSTD_c_compressionLevel]: 1 },
})

/** The pack with a frame in it that decompresses to far more than the index says, signed as it is. */
const bombFrame: Bend = ({ index, pack }) => {
  const first = index.frames.packedLengths[0] ?? 0
  const grown = ZEROS_PACKED.length - first
  const { frames } = index
  frames.packedLengths[0] = ZEROS_PACKED.length
  for (let frame = 1; frame <= frames.count; frame += 1) frames.offsets[frame] = (frames.offsets[frame] ?? 0) + grown
  frames.digests.set(createHash('sha256').update(ZEROS_PACKED).digest(), 0)
  return { index, pack: Buffer.concat([ZEROS_PACKED, pack.subarray(first)]) }
}

const ALTERED: readonly [attack: string, tried: string, bend: Bend, refusal: Refusal][] = [
  ['index that lies', 'the digest of a chunk is another', lying(({ chunks }) => chunks.digests), TAMPERED],
  ['index that lies', 'the digest of a frame is another', lying(({ frames }) => frames.digests), TAMPERED],
  ['index that lies', 'the digest of a file is another', lying(({ fileDigests }) => fileDigests), TAMPERED],
  [
    'decompression bomb',
    'the index inflates to 512 MiB and says 1 KiB',
    (bundle) => ({ ...bundle, indexBytes: bombIndex(1_024) }),
    TAMPERED,
  ],
  [
    'decompression bomb',
    'the index inflates to 512 MiB and says so',
    (bundle) => ({ ...bundle, indexBytes: bombIndex(HUGE_BYTES) }),
    TOO_LARGE,
  ],
  ['decompression bomb', 'a frame of the pack inflates to 512 MiB', bombFrame, TAMPERED],
]

/** Every one of them is a product of its own, so that one agent meets them all. */
const BENT = [
  ...PATHS.map(([tried, bend]) => ({ attack: 'path attack', tried, bend, refusal: TAMPERED })),
  ...ALTERED.map(([attack, tried, bend, refusal]) => ({ attack, tried, bend, refusal })),
].map((row, number) => ({ ...row, product: `bent-${number}` }))

let bent: Scene
let looks: readonly Look[]
let escaped: readonly string[]

beforeAll(async () => {
  bent = await openScene({ first: null, products: BENT.map(({ product }) => product) })
  const { repository } = bent
  for (const { product, bend } of BENT) {
    repository.addProduct(product)
    await bent.forge('1.0.0', { product, bend })
  }
  repository.publish(...BENT.map(({ product }) => product), 'targets', 'snapshot', 'timestamp')
  looks = await bent.victim.lookAtEach()
  escaped = escapesOf(bent.victim.home)
}, 120_000)

afterAll(async () => {
  await bent[Symbol.asyncDispose]()
})

/** Where `..` and an absolute name would lead. */
const escapesOf = (home: string): readonly string[] => [
  ...readdirSync(join(home, '..'), { recursive: true }).map(String),
  ...readdirSync('/tmp'),
]

for (const [row, { attack, tried, refusal }] of BENT.entries()) {
  attackTest(attack, tried, async (saw) => {
    const look = looks[row]
    if (look === undefined) throw new Error('the agent did not look at the product')
    expectRefused(saw(look), refusal)
    if (attack === 'path attack') expect(look.files).toEqual([])
    expect(escaped.filter((name) => name.includes('escaped'))).toEqual([])
  })
}

attackTest('SHA-1-colliding pieces', 'a pack that fits the signed torrent and not the signed index', async (saw) => {
  // What a collision of SHA-1 amounts to: every piece hash of BitTorrent holds over other bytes.
  const bend: Bend = ({ index, pack }) => ({ index, pack: Buffer.from(pack).fill(0, pack.length >> 1) })
  await using scene = await openScene({ first: { bend } })
  const look = saw(await scene.victim.look())
  expectRefused(look, TAMPERED)
  // The bytes are gone, so that the next look fetches others.
  expect(look.files.filter((file) => file.includes('/pack.frames/') || file.includes('/tree'))).toEqual([])
})

attackTest('wrong software', 'the torrent of another product, signed for acme', async (saw) => {
  await using scene = await openScene({ first: null })
  const { repository } = scene
  repository.addProduct('other')
  repository.publish('other', 'targets', 'snapshot', 'timestamp')
  const other = await scene.release('1.0.0', { product: 'other' })
  const acme = repository.signed.acme ?? {}
  await scene.release('1.0.0')
  acme.targets['acme/1.0.0/linux-x64.torrent'] = repository.signed.other?.targets['other/1.0.0/linux-x64.torrent']
  repository.publish('acme', 'snapshot', 'timestamp')
  const metainfo = repository.files.get(other.metainfo) ?? Buffer.alloc(0)
  repository.files.set(`targets/acme/1.0.0/${sha256(metainfo)}.linux-x64.torrent`, metainfo)
  const look = saw(await scene.victim.look())
  expectRefused(look, { exitCode: 6, error: 'METAINFO_INVALID', finding: 'bundle-tampered' })
})

attackTest('wrong software', 'the server gives the index of another release', async (saw) => {
  await using scene = await openScene()
  const before = saw(await scene.victim.look())
  const { files } = scene.repository
  const [old = ''] = [...files.keys()].filter((path) => path.endsWith('.index'))
  const next = await scene.release('1.1.0')
  files.set(next.index, files.get(old) ?? Buffer.alloc(0))
  expectKept(saw(await scene.victim.look()), before, TAMPERED)
})

attackTest('partial bundle', 'the only seed has half of the pack', async (saw) => {
  await using scene = await openScene({ first: null, stallTimeoutSeconds: 2 })
  const { servedPack } = await scene.release('1.0.0')
  const { files } = scene.repository
  files.set(servedPack, files.get(servedPack)?.subarray(0, 20_000) ?? Buffer.alloc(0))
  expectRefused(saw(await scene.victim.look()), STALLED)
})

attackTest('poisoned web seed', 'every byte of the pack is another', async (saw) => {
  await using scene = await openScene({ first: null, stallTimeoutSeconds: 2 })
  const { servedPack } = await scene.release('1.0.0')
  const { files } = scene.repository
  const good = files.get(servedPack) ?? Buffer.alloc(0)
  files.set(servedPack, Buffer.from(good.map((byte) => byte ^ 255)))
  expectRefused(saw(await scene.victim.look()), STALLED)
  const asked = scene.origin.requests.filter((path) => path === servedPack).length
  expect(asked).toBeLessThan(20)
})

describe('the attacks above are what they say', () => {
  test('a forged release that nobody bent is installed', async () => {
    await using scene = await openScene({ first: { bend: (bundle) => bundle } })
    expect(await scene.victim.look()).toMatchObject({ exitCode: 0, digest: scene.digests['1.0.0'] })
  })

  test('an entry that is only added is installed', async () => {
    const bend = adding({ kind: 'file', path: 'escaped' }, { kind: 'link', path: 'in', target: 'lib' })
    await using scene = await openScene({ first: { bend } })
    const look = await scene.victim.look()
    expect(look).toMatchObject({ exitCode: 0, installed: '1.0.0' })
    expect(look.files).toContain('products/acme/versions/1.0.0/escaped')
  })
})
