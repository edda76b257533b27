// Machines on three older releases and an empty one come to the same new release in one swarm, each for the bytes that it
// really lacks. Real origin, real agents.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type BundleIndex, frameOf, packLengthOf } from '@updraft/core/bundle/bundle-index'
import { parseIndex } from '@updraft/core/bundle/index-file'
import type { Update } from '@updraft/core/control/api'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild, pseudoText } from '../support/small-build.ts'

let directory: string
let stage: Stage
let digest: string
const agents = new Map<string, StageAgent>()

const NEWEST = '1.3.0'

/** Every version has one part more than the one before, and one file that is always another. */
const publish = async (minor: number): Promise<void> => {
  const build = await makeSmallBuild(join(directory, `build-${minor}`), minor + 1)
  await mkdir(join(build, 'parts'))
  for (let part = 0; part <= minor; part += 1) {
    await writeFile(join(build, 'parts', `${part}.txt`), pseudoText(120_000, 100 + part))
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
  for (const minor of [0, 1, 2]) {
    if (minor > 0) await publish(minor)
    const agent = await stage.agent(`a${minor}`)
    agents.set(`1.${minor}.0`, agent)
    await agent.start()
    await agent.whenInstalled(`1.${minor}.0`)
    await agent.stop()
  }
  await publish(3)
  agents.set('nothing', await stage.agent('empty'))
}, 120_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

const indexOf = async (version: string): Promise<BundleIndex> =>
  parseIndex(await readFile(join(stage.repository, 'bundles', `acme_${version}_any`, 'index')))

/** Bytes of the pieces of the newest release in which there is a frame that `version` does not have. */
const plannedBytes = async (version: string): Promise<number> => {
  const { torrentBytes, pieceLength, indexBytes } = await newestTorrent()
  const index = await indexOf(NEWEST)
  const had = new Set<string>()
  if (version !== 'nothing') {
    const older = await indexOf(version)
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

test('each fetches what it lacks, all end with the same tree, and all seed it', async () => {
  const updates = new Map<string, Update>()
  await Promise.all(
    [...agents].map(async ([version, agent]) => {
      await agent.start()
      updates.set(version, await agent.whenInstalled(NEWEST))
    }),
  )
  const fetched: Record<string, number> = {}
  const planned: Record<string, number> = {}
  for (const [version, { bytes }] of updates) {
    fetched[version] = bytes.peers + bytes.origin
    planned[version] = await plannedBytes(version)
  }
  expect(fetched).toEqual(planned)
  const whole = packLengthOf(await indexOf(NEWEST))
  expect(planned.nothing).toBeGreaterThanOrEqual(whole)
  // Older is dearer, and any older release is a good deal cheaper than none.
  expect(planned['1.2.0']).toBeLessThanOrEqual(planned['1.1.0'] ?? 0)
  expect(planned['1.1.0']).toBeLessThanOrEqual(planned['1.0.0'] ?? 0)
  expect(planned['1.0.0']).toBeLessThan(whole)
  expect((planned['1.2.0'] ?? whole) * 2).toBeLessThan(whole)
  for (const agent of agents.values()) {
    expect(await digestOfTree(agent.installedPath)).toBe(digest)
    const status = await agent.productStatus()
    expect([status?.seeding.releases, status?.trust.findings]).toEqual([expect.any(Number), []])
    const { stdout } = await agent.run(['events'])
    expect(stdout).not.toMatch(/its patch was of no use/)
  }
}, 120_000)
