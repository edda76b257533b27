// Machines on three older releases and an empty one come to the same new release in one swarm, each for the bytes that it
// really lacks. Real origin, real agents.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type BundleIndex, frameOf } from '@updraft/core/bundle/bundle-index'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { frameFiles } from '@updraft/core/bundle/pack-place'
import type { Update } from '@updraft/core/control/api'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { openRepository } from '../../publisher/src/repository.ts'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild, pseudoText } from '../support/small-build.ts'

let directory: string
let stage: Stage
let digest: string
const agents = new Map<string, StageAgent>()

const NEWEST = '1.4.0'
/** The last of them is one more release behind than there are patches for. */
const OLDER = ['1.3.0', '1.2.0', '1.0.0'] as const

/** A program that is linked anew for every version: its code stays, and all addresses in it are others. */
const program = (minor: number): Buffer => {
  const code = Buffer.from(pseudoText(400_000, 50))
  for (let at = 0; at < code.length; at += 40) code.writeUInt32LE(at * 3 + minor * 0x1230, at)
  return code
}

/** Every version has one part more than the one before, one file that is always another, and the program. */
const publish = async (minor: number): Promise<void> => {
  const build = await makeSmallBuild(join(directory, `build-${minor}`), minor + 1)
  await mkdir(join(build, 'parts'))
  await writeFile(join(build, 'bin/program'), program(minor))
  for (let part = 0; part <= minor; part += 1) {
    await writeFile(join(build, 'parts', `${part}.txt`), pseudoText(40_000, 100 + part))
  }
  digest = await digestOfTree(build)
  await stage.publish(build, `1.${minor}.0`)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  await stage.init()
  await publish(0)
  await stage.startOrigin()
  for (const minor of [0, 1, 2, 3]) {
    const version = `1.${minor}.0`
    if (minor > 0) await publish(minor)
    if (!OLDER.some((older) => older === version)) continue
    const agent = await stage.agent(`a${minor}`)
    agents.set(version, agent)
    await agent.start()
    await agent.whenInstalled(version)
    await agent.stop()
  }
  await publish(4)
  agents.set('nothing', await stage.agent('empty'))
}, 120_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

const indexOf = async (version: string): Promise<BundleIndex> =>
  parseIndex(await readFile(join(stage.repository, 'bundles', `acme_${version}_any`, 'index')))

/** The pack as this machine keeps it: a file for each frame. */
const packOf = async (agent: StageAgent, version: string): Promise<Buffer> => {
  const folder = join(agent.home, 'bundles', `acme_${version}_any`, 'pack.frames')
  const frames = frameFiles(await indexOf(version))
  return Buffer.concat(await Promise.all(frames.map(({ name }) => readFile(join(folder, name)))))
}

/** How a machine comes to the newest release, and for how many bytes. */
interface Way {
  readonly by: 'patch' | 'chunks' | 'all'
  readonly bytes: number
}

const plannedWay = async (version: string): Promise<Way> => {
  const newest = await indexOf(NEWEST)
  if (version === 'nothing') return { by: 'all', bytes: await pieceBytes(newest) }
  const older = await indexOf(version)
  const { releases } = await openRepository(stage.repository)
  const from = releases.find(({ release }) => release.version === version)?.index.sha256
  const patches = releases.find(({ release }) => release.version === NEWEST)?.release.patches ?? []
  const patch = patches.find((each) => each.from === from)
  const byChunks = await pieceBytes(newest, older)
  return patch !== undefined && patch.lengthBytes + patch.metainfo.lengthBytes < byChunks
    ? { by: 'patch', bytes: patch.lengthBytes }
    : { by: 'chunks', bytes: byChunks }
}

/** Bytes of the pieces of the newest release in which there is a frame that the older one does not have. */
const pieceBytes = async (index: BundleIndex, older?: BundleIndex): Promise<number> => {
  const { torrentBytes, pieceLength, indexBytes } = await newestTorrent()
  const had = new Set<string>()
  if (older !== undefined) {
    for (let number = 0; number < older.frames.count; number += 1) had.add(hexOf(older, number))
  }
  const pieces = new Set<number>()
  for (let number = 0; number < index.frames.count; number += 1) {
    if (had.has(hexOf(index, number))) continue
    const { offset, packedLength } = frameOf(index, number)
    const last = Math.floor((indexBytes + offset + packedLength - 1) / pieceLength)
    for (let piece = Math.floor((indexBytes + offset) / pieceLength); piece <= last; piece += 1) pieces.add(piece)
  }
  return [...pieces].reduce((sum, piece) => sum + Math.min(pieceLength, torrentBytes - piece * pieceLength), 0)
}

const hexOf = (index: BundleIndex, number: number): string => Buffer.from(frameOf(index, number).sha256).toString('hex')

const newestTorrent = async () => {
  const agent = agents.get('nothing')
  const metainfo = parseMetainfo(await readFile(join(agent?.home ?? '', 'bundles', `acme_${NEWEST}_any.torrent`)))
  const { pieceLength, lengthBytes: torrentBytes, files } = metainfo
  return { pieceLength, torrentBytes, indexBytes: files[0]?.lengthBytes ?? 0 }
}

test('each fetches what it lacks by the cheapest way, all end with the same tree, and all seed it', async () => {
  const updates = new Map<string, Update>()
  await Promise.all(
    [...agents].map(async ([version, agent]) => {
      await agent.start()
      updates.set(version, await agent.whenInstalled(NEWEST))
    }),
  )
  const fetched: Record<string, number> = {}
  const planned: Record<string, Way> = {}
  for (const [version, { bytes }] of updates) {
    fetched[version] = bytes.peers + bytes.origin
    planned[version] = await plannedWay(version)
  }
  expect(Object.fromEntries(Object.entries(planned).map(([version, { by }]) => [version, by]))).toEqual({
    '1.3.0': 'patch',
    '1.2.0': 'patch',
    '1.0.0': 'chunks',
    nothing: 'all',
  })
  expect(fetched).toEqual(Object.fromEntries(Object.entries(planned).map(([version, { bytes }]) => [version, bytes])))
  const published = await readFile(join(stage.repository, 'bundles', `acme_${NEWEST}_any`, 'pack'))
  const whole = published.length
  expect(planned.nothing?.bytes).toBeGreaterThanOrEqual(whole)
  expect(planned['1.0.0']?.bytes).toBeLessThan(whole)
  expect((planned['1.3.0']?.bytes ?? whole) * 5).toBeLessThan(whole)
  for (const agent of agents.values()) {
    expect(await digestOfTree(agent.installedPath)).toBe(digest)
    const status = await agent.productStatus()
    expect([status?.seeding.releases, status?.trust.findings]).toEqual([expect.any(Number), []])
    const { stdout } = await agent.run(['events'])
    expect(stdout).not.toMatch(/of no use/)
    // The same pack, from whatever it was made: it was checked piece by piece before it was shared.
    expect((await packOf(agent, NEWEST)).equals(published)).toBe(true)
  }
}, 120_000)

test('a frame that two kept releases have in common is on the disk once', async () => {
  const agent = agents.get('1.3.0')
  if (agent === undefined) throw new Error('there is no such agent')
  const [older, newer] = await Promise.all([indexOf('1.3.0'), indexOf(NEWEST)])
  const names = new Set(frameFiles(older).map(({ name }) => name))
  const common = frameFiles(newer).filter(({ name }) => names.has(name))
  expect(common.length).toBeGreaterThan(0)
  for (const { name } of common) {
    const [a, b] = await Promise.all(
      ['1.3.0', NEWEST].map((version) => stat(join(agent.home, 'bundles', `acme_${version}_any`, 'pack.frames', name))),
    )
    expect(a?.ino).toBe(b?.ino)
  }
  expect(
    (await packOf(agent, '1.3.0')).equals(await readFile(join(stage.repository, 'bundles/acme_1.3.0_any/pack'))),
  ).toBe(true)
})
