// What the libraries under the swarm do that makes it replace parts of them. Each of these tests fails once a library has been
// mended: then the file that it names may go, or become smaller.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import Wire from 'bittorrent-protocol'
import { PROJECT } from '../../../scripts/steps.ts'

const sourceOf = (name: string, file: string): string => readFileSync(join(PROJECT, 'node_modules', name, file), 'utf8')

/** The text of one method, from its name to the brace that closes it at its own depth. */
const methodOf = (source: string, name: string): string => {
  const found = new RegExp(`^  (?:async )?${name} \\(.*?\\) \\{\\n.*?^  \\}\\n`, 'ms').exec(source)
  if (found === null) throw new Error(`${name} is not there any more: look whether what replaces it is still needed`)
  return found[0]
}

describe('webtorrent 3 as it comes', () => {
  const torrent = sourceOf('webtorrent', 'lib/torrent.js')
  const peer = sourceOf('webtorrent', 'lib/peer.js')
  const pool = sourceOf('webtorrent', 'lib/conn-pool.js')
  const client = sourceOf('webtorrent', 'index.js')

  test.each([
    [
      'picks pieces in order unless told otherwise',
      'pieces/picker.ts',
      () => /strategy \|\| 'sequential'/.test(torrent),
    ],
    [
      'goes over all wires when anything changes',
      'peers/download.ts',
      () => /randomIterate\(this\.wires\)/.test(methodOf(torrent, '_updateWireWrapper')),
    ],
    ['bans nobody for a bad piece', 'pieces/blame.ts', () => !/\bban/i.test(torrent)],
    [
      'calls a lost peer four times at most',
      'peers/dialer.ts',
      () => /RECONNECT_WAIT = \[1_?000, 5_?000, 15_?000\]/.test(torrent),
    ],
    [
      'reads a socket without a buffer of its own',
      'peers/dialer.ts',
      () => !/onread/.test(methodOf(torrent, '_drain')),
    ],
    ['rechokes every ten seconds', 'peers/upload.ts', () => /RECHOKE_INTERVAL = 10_?000/.test(torrent)],
    [
      'sends all bytes through rate limiters',
      'peers/direct-pipe.ts',
      () => /throttle/i.test(methodOf(peer, 'setThrottlePipes')),
    ],
    [
      'takes any number of half-open connections',
      'peers/connections.ts',
      () => !/\.size|length|max/i.test(methodOf(pool, '_onConnection')),
    ],
    [
      'speaks uTP, a third as fast as TCP, unless told otherwise',
      'webtorrent-swarm.ts',
      () => /opts\.utp !== false/.test(client),
    ],
    ['never suggests a piece', 'peers/suggester.ts', () => !/\.suggest\(/.test(torrent)],
  ])('%s (%s)', (_what, _file, isSo) => {
    expect(isSo()).toBe(true)
  })
})

describe('bittorrent-protocol as it comes', () => {
  test('collects whatever length a message announces (peers/wire-reader.ts)', () => {
    const wire = new Wire()
    const errors: unknown[] = []
    wire.on('error', (error) => errors.push(error))
    const stream = wire as unknown as NodeJS.WritableStream
    wire.handshake('11'.repeat(20), '22'.repeat(20), {})
    stream.write(Buffer.concat([Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), Buffer.alloc(40, 1)]))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(0x7f_ff_ff_ff)
    stream.write(length)
    expect(errors).toEqual([])
    expect(wire.destroyed).not.toBe(true)
  })

  test('joins all bytes for every packet (peers/wire-reader.ts)', () => {
    expect(methodOf(sourceOf('bittorrent-protocol', 'index.js'), '_write')).toMatch(/concat/i)
  })

  test('sends each message by itself (peers/wire-writer.ts)', () => {
    expect(methodOf(sourceOf('bittorrent-protocol', 'index.js'), '_push')).not.toMatch(/cork|nextTick|queueMicrotask/)
  })
})
