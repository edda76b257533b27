// What is read on the machine itself: settings, requests to the agent, its answers and events as clients read them, and files
// that are carried over an air gap.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ControlHandlers, serveControl } from '@updraft/agent/control'
import { parseSettings } from '@updraft/agent/settings'
import { openStore } from '@updraft/agent/store'
import { openExport } from '@updraft/core/archive/export-file'
import { controlClient } from '@updraft/core/control/client'
import { type EventStreamMessage, formatMessage, HEARTBEAT, parseEventStream } from '@updraft/core/control/event-stream'
import { isUpdateError } from '@updraft/core/errors'
import { archiveOf, plausibleEntries } from '../../support/archives.ts'
import {
  choosing,
  chosen,
  inPieces,
  JSON_WORDS,
  plainTarget,
  type Target,
  unlessRefused,
  unlessRejected,
} from '../target.ts'
import { converse } from './conversation.ts'

export const settings = plainTarget({
  what: 'agent.json, whoever wrote it',
  seeds: () => [
    Buffer.from('{}'),
    Buffer.from(
      JSON.stringify({
        products: {
          acme: {
            source: 'acme',
            channel: 'stable',
            versionRange: '^1.0.0',
            windows: [{ days: 'mon-fri', from: '22:00', to: '06:00' }],
            minimumAgeHours: 24,
            probe: { command: ['bin/acme', '--version'], timeoutSeconds: 10 },
          },
        },
        checkIntervalSeconds: 60,
        importFolder: '/tmp/in',
        network: { port: 0, peers: ['192.0.2.7:6881'], uploadLimitBytes: 10_000 },
        versionsKept: 3,
      }),
    ),
    Buffer.from('{ // comment\n "products": { /* none */ }, }'),
  ],
  words: ['//', '/*', '*/', '"products":', '"network":', ...JSON_WORDS, '\ufeff'],
  attempt: (input) => {
    unlessRefused(['SETTINGS_INVALID'], () => parseSettings(Buffer.from(input).toString('utf8'), 'agent.json'))
  },
})

const REQUESTS: readonly (readonly [method: string, path: string, body?: unknown])[] = [
  ['GET', '/v1/status'],
  ['GET', '/v1/products/acme/history?limit=5'],
  ['GET', '/v1/events?after=7x'],
  ['GET', '/v1/openapi.json'],
  ['POST', '/v1/check', { product: 'acme' }],
  ['POST', '/v1/import', { file: '/tmp/acme.tar' }],
  ['POST', '/v1/products/acme/rollback', { version: '1.0.0' }],
  ['POST', '/v1/products/acme/retry', {}],
  ['POST', '/v1/products/acme/wishes', { kind: 'hold', until: '2099-01-01T00:00:00Z' }],
  ['POST', '/v1/products/acme/wishes', { kind: 'approve', version: '1.0.0' }],
]

const requestOf = ([method, path, body]: (typeof REQUESTS)[number]): Buffer => {
  const text = body === undefined ? '' : JSON.stringify(body)
  const length = body === undefined ? '' : `content-length: ${text.length}\r\n`
  return choosing(0, `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${length}\r\n${text}`)
}

export const control: Target = {
  what: 'requests to the agent: HTTP over its socket, query and JSON bodies',
  words: [
    'GET ',
    'POST ',
    'HEAD ',
    'host: localhost\r\n',
    'origin: x\r\n',
    'content-length: ',
    'transfer-encoding: chunked\r\n',
    '\r\n\r\n',
    '?after=',
    '?limit=',
    '%00',
    '%2e%2e',
    '"__proto__":',
    'null',
    '{}',
    '[]',
  ],
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'updraft-fuzz-'))
    const socketPath = join(folder, 'agent.sock')
    const store = openStore(folder)
    const defects: unknown[] = []
    // What is asked for is checked at the door, and answered with nothing in particular.
    const handlers = {
      status: async () => ({ products: [] }),
      check: async () => ({ cursor: 0 }),
      import: async ({ file }: { readonly file: string }) => ({ cursor: 0, product: file }),
      history: async (product: string) => ({ product }),
      rollback: async (product: string, { version }: { readonly version?: string | undefined }) => ({
        product,
        version,
      }),
      retry: async () => ({ cursor: 0, lifted: [] }),
      wish: async (product: string, { kind }: { readonly kind: string }) => ({ product, kind }),
      metrics: async () => '',
      events: store.events,
      onDefect: (error: unknown) => defects.push(error),
    } as unknown as ControlHandlers
    const server = await serveControl(socketPath, handlers, { tokenFile: `${socketPath}.token` })
    return {
      seeds: REQUESTS.map(requestOf),
      attempt: async (input) => {
        const { choice, rest } = chosen(input)
        const answer = await converse({ path: socketPath }, inPieces(rest, choice))
        const [defect] = defects.splice(0)
        if (defect !== undefined) throw defect
        for (const [, status] of answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)) assert.ok(Number(status) < 500, answer)
      },
      [Symbol.asyncDispose]: async () => {
        await server[Symbol.asyncDispose]()
        store[Symbol.dispose]()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

const STATUS = {
  apiVersion: 1,
  agent: { version: '1.0.0', pid: 1, hostname: 'h', home: '/h', startedAt: 't', swarmPort: 1 },
  sources: [],
  products: [],
  cursor: 0,
}
const answerOf = (status: number, type: string, body: string): Buffer =>
  Buffer.from(
    `HTTP/1.1 ${status} X\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  )

export const answers: Target = {
  what: "what answers on the agent's socket, as the command line and VS Code read it",
  words: [
    'HTTP/1.1 200 OK\r\n',
    'transfer-encoding: chunked\r\n',
    'content-length: ',
    '\r\n\r\n',
    '"products":',
    '"findings":',
    'null',
    '{}',
    '[]',
    '__proto__',
  ],
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'updraft-fuzz-'))
    const socketPath = join(folder, 'agent.sock')
    let answer: Uint8Array = new Uint8Array()
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(answer))
    })
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    const client = controlClient(socketPath, { answerTimeoutMs: 300, eventsTimeoutMs: 300 })
    const event = JSON.stringify({ cursor: 1, at: 't', event: { kind: 'check', source: 's' } })
    return {
      seeds: [
        choosing(0, answerOf(200, 'application/json', JSON.stringify(STATUS))),
        choosing(1, answerOf(200, 'application/json', JSON.stringify({ product: 'acme', updates: [] }))),
        choosing(2, answerOf(200, 'text/event-stream', formatMessage({ id: '1', event: 'check', data: event }))),
        choosing(
          0,
          answerOf(
            404,
            'application/problem+json',
            JSON.stringify({ type: 'about:blank', title: 't', status: 404, code: 'USAGE', detail: 'd' }),
          ),
        ),
      ],
      attempt: async (input) => {
        const { choice, rest } = chosen(input)
        answer = rest
        try {
          if (choice % 3 === 0) await client.status()
          else if (choice % 3 === 1) await client.history('acme')
          else for await (const _event of client.events(0));
        } catch (error) {
          if (!isUpdateError(error)) throw error
        }
      },
      [Symbol.asyncDispose]: async () => {
        await new Promise((resolve) => server.close(resolve))
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
}

const EVENT_LENGTH_MAX = 2_000

export const eventStream = plainTarget({
  what: 'the stream of events, as VS Code and `events` cut it into messages',
  seeds: () => [
    choosing(
      0,
      formatMessage({ id: '1', event: 'check', data: '{}' }) +
        HEARTBEAT +
        formatMessage({ id: '2', event: 'a', data: 'b' }),
    ),
    choosing(3, 'data: a\r\ndata: b\r\rid\nevent:x\n: comment\n\n'),
  ],
  words: ['data:', 'id:', 'event:', 'retry:', '\r\n', '\r', '\n\n', ': '],
  attempt: async (input) => {
    const { choice, rest } = chosen(input)
    const text = Buffer.from(rest).toString('latin1')
    const read = (how: number) =>
      unlessRejected(['CONTROL_INVALID'], async () => {
        const chunks = Array.from(inPieces(Buffer.from(text, 'latin1'), how), (piece) =>
          Buffer.from(piece).toString('latin1'),
        )
        const messages: EventStreamMessage[] = []
        for await (const message of parseEventStream(streamOf(chunks), EVENT_LENGTH_MAX)) messages.push(message)
        return messages
      })
    const [whole, cut] = [await read(0), await read(choice)]
    for (const { data } of cut ?? []) assert.ok(data.length <= EVENT_LENGTH_MAX + text.length)
    // However the bytes come, they say the same; only when too much is too much depends on it.
    if (whole !== undefined && cut !== undefined) assert.deepEqual(cut, whole)
  },
})

async function* streamOf(chunks: readonly string[]): AsyncGenerator<string> {
  yield* chunks
}

export const exported: Target = {
  what: 'an exported release, carried over an air gap: tar, names, sums',
  words: [
    'metadata/',
    'targets/acme/1.0.0/',
    'bundles/',
    'SHA256SUMS',
    '../',
    'ustar\0',
    '\0',
    'path=',
    'size=',
    Buffer.alloc(512),
  ],
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'updraft-fuzz-'))
    const path = join(folder, 'x.tar')
    return {
      seeds: [archiveOf(plausibleEntries())],
      attempt: async (input) => {
        writeFileSync(path, input)
        await unlessRejected(['EXPORT_INVALID', 'LIMIT_EXCEEDED'], async () => {
          await using file = await openExport(path)
          for (const name of file.names) {
            assert.ok(file.lengthOf(name) <= input.length)
            await file.read(name, input.length)
          }
        })
      },
      [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
    }
  },
}
