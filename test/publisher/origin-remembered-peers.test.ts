// What a tracker knows survives a restart of the origin, and nothing that somebody puts into the file harms it.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { readRememberedPeers, writeRememberedPeers } from '../../publisher/src/origin/remembered-peers.ts'
import { openTracker } from '../../publisher/src/origin/tracker.ts'
import { countsOf, recordingLog, silentLog } from './origin-support.ts'

const INFO_HASH = 'ab'.repeat(20)
const PEER = { infoHash: INFO_HASH, peerId: '2d'.repeat(20), ip: '192.0.2.7', port: 6881, complete: true }
const NOW = new Date('2026-01-01T12:00:00Z')

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'peers-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('peers of the last run', () => {
  test('are known to the next tracker, and count', async () => {
    await using first = openTracker({ log: silentLog })
    first.restore([PEER, { ...PEER, ip: '2001:db8::7', complete: false }])
    await writeRememberedPeers(folder, first.peers(), NOW, silentLog)
    await using second = openTracker({ log: silentLog })
    second.restore(await readRememberedPeers(folder, NOW, silentLog))
    expect(countsOf(second, INFO_HASH)).toEqual({ seeders: 1, leechers: 1 })
    expect(second.peers()).toEqual(first.peers())
  })

  test('are forgotten after two minutes', async () => {
    await writeRememberedPeers(folder, [PEER], NOW, silentLog)
    const later = new Date(NOW.getTime() + 120_000)
    expect(await readRememberedPeers(folder, later, silentLog)).toEqual([])
  })

  test('are for nobody else to read', async () => {
    await writeRememberedPeers(folder, [PEER], NOW, silentLog)
    expect((await stat(join(folder, '.peers.json'))).mode & 0o777).toBe(0o600)
  })

  test('a repository that cannot be written to costs a warning', async () => {
    const { log, lines } = recordingLog()
    await writeRememberedPeers(join(folder, 'missing'), [PEER], NOW, log)
    expect(lines).toHaveLength(1)
  })
})

describe('a file that is not ours', () => {
  test.each([
    ['not JSON', '{'],
    ['another version', JSON.stringify({ version: 2, savedAt: NOW.toISOString(), peers: [] })],
    ['a port that does not exist', { port: 80.5 }],
    ['an address that is a name', { ip: 'example.com' }],
    ['an infohash that is a path', { infoHash: '../../etc' }],
  ])('%s: nobody is known, with a warning', async (_, content) => {
    const text =
      typeof content === 'string'
        ? content
        : JSON.stringify({ version: 1, savedAt: NOW.toISOString(), peers: [{ ...PEER, ...content }] })
    await writeFile(join(folder, '.peers.json'), text)
    const { log, lines } = recordingLog()
    expect(await readRememberedPeers(folder, NOW, log)).toEqual([])
    expect(lines).toHaveLength(1)
    expect(await readFile(join(folder, '.peers.json'), 'utf8')).toBe(text)
  })
})
