// The publisher's origin: what browsers, peers and anybody else send to its HTTP server and to its tracker.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFileServer } from '@updraft/publisher/origin/files'
import { openHttpServer } from '@updraft/publisher/origin/http'
import { openTracker } from '@updraft/publisher/origin/tracker'
import pino from 'pino'
import { choosing, chosen, inPieces, type Target } from '../target.ts'
import { converse } from './conversation.ts'

const INFO_HASH = 'aa'.repeat(20)
const ANNOUNCE = `/announce?info_hash=${'%aa'.repeat(20)}&peer_id=-TS0001-123456789012&port=6881&uploaded=0&downloaded=0&left=9&compact=1&event=started`
const UPGRADE =
  'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

const requestOf = (path: string, headers = 'connection: close\r\n'): Buffer =>
  choosing(0, `GET ${path} HTTP/1.1\r\nhost: origin.example\r\n${headers}\r\n`)

export const origin: Target = {
  what: "requests to the publisher's origin: files, announces and scrapes over HTTP, WebSocket and UDP (BEP 15)",
  words: [
    'info_hash=',
    'peer_id=',
    'compact=',
    'numwant=',
    'event=',
    '%00',
    '%2e%2e/',
    '..\\',
    'range: bytes=',
    '/scrape?',
    '/metadata/',
    '/bundles/',
    '\r\n',
    UPGRADE,
  ],
  open: async () => {
    const root = mkdtempSync(join(tmpdir(), 'updraft-fuzz-'))
    const log = pino({ level: 'silent' })
    const tracker = openTracker({ log })
    tracker.track(new Set([INFO_HASH]))
    const http = openHttpServer({
      files: await openFileServer(root),
      folders: [],
      tracker,
      pages: () => new Response(''),
      log,
    })
    const port = await http.listen('127.0.0.1', 0)
    await tracker.listenUdp('127.0.0.1', port)
    const udp = createSocket('udp4')
    const connectRequest = Buffer.from('000004172710198000000000a1b2c3d4', 'hex')
    const announceRequest = Buffer.concat([
      Buffer.alloc(8),
      Buffer.from('00000001a1b2c3d4', 'hex'),
      Buffer.from(INFO_HASH, 'hex'),
      Buffer.alloc(62, 1),
    ])
    return {
      seeds: [
        requestOf('/'),
        requestOf('/metadata/timestamp.json', 'range: bytes=0-9\r\nconnection: close\r\n'),
        requestOf(ANNOUNCE),
        requestOf(`/scrape?info_hash=${'%aa'.repeat(20)}`),
        requestOf('/announce', UPGRADE),
        choosing(1, connectRequest),
        choosing(1, announceRequest),
      ],
      attempt: async (input) => {
        const { choice, rest } = chosen(input)
        if (choice % 2 === 1) {
          await new Promise((sent) => udp.send(rest.subarray(0, 1_400), port, '127.0.0.1', sent))
          return
        }
        const answer = await converse({ port, host: '127.0.0.1' }, inPieces(rest, choice))
        for (const [, status] of answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)) assert.notEqual(Number(status), 500, answer)
      },
      [Symbol.asyncDispose]: async () => {
        udp.close()
        await http[Symbol.asyncDispose]()
        await tracker[Symbol.asyncDispose]()
        rmSync(root, { recursive: true, force: true })
      },
    }
  },
}
