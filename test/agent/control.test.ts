// The agent's end of the control API over a real socket: who may ask, what is parsed, how events are followed, and what is
// left when it closes.
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type Control, type ControlHandlers, serveControl } from '@updraft/agent/control'
import type { EventListenersOptions } from '@updraft/agent/control/event-listeners'
import { historyOf } from '@updraft/agent/history'
import { parseSettings } from '@updraft/agent/settings'
import { openStore, type Store } from '@updraft/agent/store'
import { problemSchema } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { BARE_STATUS } from '../support/control-handlers.ts'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'

let home: TemporaryHome
let store: Store
let control: Control | undefined
let defects: unknown[] = []

beforeEach(() => {
  home = temporaryHome()
  mkdirSync(home.stateDirectory)
  store = openStore(home.stateDirectory, { kept: 50 })
  defects = []
})
afterEach(async () => {
  await control?.[Symbol.asyncDispose]()
  control = undefined
  store[Symbol.dispose]()
  home[Symbol.dispose]()
})

const serve = async (
  handlers: Partial<ControlHandlers> = {},
  options: EventListenersOptions = {},
  socketPath = home.socketPath,
) => {
  control = await serveControl(
    socketPath,
    {
      status: async () => BARE_STATUS,
      check: async ({ product }) => {
        if (product === 'ghost') throw new UpdateError('PRODUCT_UNKNOWN', 'no ghost', { hint: 'look again' })
        return { cursor: store.events.cursor() }
      },
      import: async ({ file }) => {
        if (file === '/torn') throw new UpdateError('EXPORT_INVALID', '/torn: it has no end')
        return { cursor: store.events.cursor(), product: 'acme' }
      },
      history: async (product, limit) =>
        historyOf(product, { store, settings: parseSettings('{}', 'agent.json'), limit }),
      rollback: async (product, { version = '1.0.0' }) => {
        if (version === '0.9.0') throw new UpdateError('RELEASE_UNKNOWN', 'not kept', { hint: 'kept are: 1.0.0' })
        return { cursor: 7, version, previous: `after ${product}` }
      },
      retry: async (product) => ({ cursor: 8, lifted: [product] }),
      wish: async (product, wish) => ({ product, kind: wish.kind, changed: true }),
      proof: async (product) => {
        if (product === 'ghost') throw new UpdateError('RELEASE_UNKNOWN', 'nothing of ghost is installed')
        return { product, path: '/p', isGood: true, releases: [], findings: [], differences: [], differenceCount: 0 }
      },
      transfers: async () => ({ transfers: [] }),
      metrics: async () => '# HELP up U.\n# TYPE up gauge\nup 1\n',
      events: store.events,
      onDefect: (error) => defects.push(error),
      ...handlers,
    },
    { tokenFile: join(home.stateDirectory, 'control-token'), ...options },
  )
}

const append = (source = 'main') => store.events.append({ kind: 'check', source }, 't')

interface Question {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

const ask = ({ method = 'GET', path = '/v1/status', headers = {}, body }: Question) =>
  new Promise<{ readonly response: IncomingMessage; readonly text: string }>((resolve, reject) => {
    const outgoing = request({
      socketPath: home.socketPath,
      method,
      path,
      headers: { host: 'localhost', ...headers },
      agent: false,
    })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ response, text }))
    })
    outgoing.end(body)
  })

describe('requests', () => {
  test('the status is answered', async () => {
    await serve()
    expect(await controlClient(home.socketPath).status()).toEqual(BARE_STATUS)
  })

  test('a check is accepted with 202', async () => {
    await serve()
    append()
    const { response, text } = await ask({ method: 'POST', path: '/v1/check', body: '{"product":"acme"}' })
    expect([response.statusCode, JSON.parse(text)]).toEqual([202, { cursor: 1 }])
    expect(await controlClient(home.socketPath).check()).toEqual({ cursor: 1 })
  })

  test('a rollback is answered when it is done, another try is accepted with 202', async () => {
    await serve()
    const client = controlClient(home.socketPath)
    expect(await client.rollback('acme')).toEqual({ cursor: 7, version: '1.0.0', previous: 'after acme' })
    expect(await client.rollback('acme', { version: '0.8.0' })).toMatchObject({ version: '0.8.0' })
    await expect(client.rollback('acme', { version: '0.9.0' })).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' })
    expect(await client.retry('a/b')).toEqual({ cursor: 8, lifted: ['a/b'] })
    expect(await client.proof('a/b')).toMatchObject({ product: 'a/b', isGood: true, differenceCount: 0 })
    await expect(client.proof('ghost')).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' })
    expect(await client.transfers()).toEqual({ transfers: [] })
    expect((await ask({ method: 'POST', path: '/v1/products/acme/retry' })).response.statusCode).toBe(202)
  })

  test('a wish goes to its product, parsed', async () => {
    const wishes: unknown[] = []
    await serve({
      wish: async (product, wish) => {
        wishes.push([product, wish])
        return { product, kind: wish.kind, changed: true }
      },
    })
    const client = controlClient(home.socketPath)
    expect(await client.wish('acme', { kind: 'skip', version: '1.0.0' })).toEqual({
      product: 'acme',
      kind: 'skip',
      changed: true,
    })
    await client.wish('a b', { kind: 'hold', until: '2026-01-01T00:00:00.000Z' })
    expect(wishes).toEqual([
      ['acme', { kind: 'skip', version: '1.0.0' }],
      ['a b', { kind: 'hold', until: '2026-01-01T00:00:00.000Z' }],
    ])
  })

  const refused: readonly (readonly [name: string, question: Question, status: number, code: string])[] = [
    ['an unknown path', { path: '/v2/status' }, 404, 'USAGE'],
    ['a path that climbs', { path: '/v1/../v1/x' }, 404, 'USAGE'],
    ['an unknown method', { method: 'DELETE' }, 405, 'USAGE'],
    ['HEAD on events', { method: 'HEAD', path: '/v1/events' }, 405, ''],
    ['a check by GET', { path: '/v1/check' }, 405, 'USAGE'],
    ['a check that is not JSON', { method: 'POST', path: '/v1/check', body: '{' }, 400, 'USAGE'],
    ['a check of the wrong shape', { method: 'POST', path: '/v1/check', body: '{"product":7}' }, 400, 'USAGE'],
    ['a check that is a list', { method: 'POST', path: '/v1/check', body: '[]' }, 400, 'USAGE'],
    ['a check of an unknown product', { method: 'POST', path: '/v1/check', body: '{"product":"ghost"}' }, 404, 'PRODUCT_UNKNOWN'],
    ['a wish by GET', { path: '/v1/products/acme/wishes' }, 405, 'USAGE'],
    ['a wish that is none', { method: 'POST', path: '/v1/products/acme/wishes', body: '{"kind":"install"}' }, 400, 'USAGE'],
    ['a wish without its version', { method: 'POST', path: '/v1/products/acme/wishes', body: '{"kind":"skip"}' }, 400, 'USAGE'],
    ['a hold until some day', { method: 'POST', path: '/v1/products/acme/wishes', body: '{"kind":"hold","until":"some day"}' }, 400, 'USAGE'],
    ['a giant body', { method: 'POST', path: '/v1/check', body: ' '.repeat(LIMITS.controlBodyBytes + 1) }, 413, 'LIMIT_EXCEEDED'],
    ['a giant body in chunks', { method: 'POST', path: '/v1/check', headers: { 'transfer-encoding': 'chunked' }, body: ' '.repeat(LIMITS.controlBodyBytes + 1) }, 413, 'LIMIT_EXCEEDED'],
    ['a rollback by GET', { path: '/v1/products/acme/rollback' }, 405, 'USAGE'],
    ['a rollback to a number', { method: 'POST', path: '/v1/products/acme/rollback', body: '{"version":1}' }, 400, 'USAGE'],
    ['a rollback to what is not kept', { method: 'POST', path: '/v1/products/acme/rollback', body: '{"version":"0.9.0"}' }, 404, 'RELEASE_UNKNOWN'],
    ['a rollback by a web page', { method: 'POST', path: '/v1/products/acme/rollback', headers: { origin: 'http://localhost' } }, 403, 'PERMISSION'],
    ['another try by GET', { path: '/v1/products/acme/retry' }, 405, 'USAGE'],
    ['a web page', { headers: { origin: 'http://localhost:3000' } }, 403, 'PERMISSION'],
    ['a web page without an origin of its own', { headers: { origin: 'null' } }, 403, 'PERMISSION'],
    ['a rebound name', { headers: { host: 'evil.example' } }, 403, 'PERMISSION'],
    ['a name that only begins like ours', { headers: { host: 'localhost.evil.example' } }, 403, 'PERMISSION'],
    ['a host that is none', { headers: { host: 'a@b:c/d' } }, 403, 'PERMISSION'],
    ['a cursor that is no number', { path: '/v1/events?after=x' }, 400, 'USAGE'],
    ['a negative cursor', { path: '/v1/events?after=-1' }, 400, 'USAGE'],
    ['a cursor beyond all numbers', { path: `/v1/events?after=${'9'.repeat(40)}` }, 400, 'USAGE'],
    ['a bad Last-Event-ID', { path: '/v1/events', headers: { 'last-event-id': '1;2' } }, 400, 'USAGE'],
  ] // biome-ignore format: one case per line

  test.each(refused)('%s is refused with problem details', async (_, question, status, code) => {
    await serve()
    const { response, text } = await ask(question)
    expect(response.statusCode).toBe(status)
    if (question.method === 'HEAD') return
    expect(response.headers['content-type']).toBe('application/problem+json')
    expect(problemSchema.parse(JSON.parse(text))).toMatchObject({ status, code })
    expect(defects).toEqual([])
  })

  test('a defect is told without its stack, and noted with it', async () => {
    const defect = new TypeError('x is undefined')
    await serve({ status: () => Promise.reject(defect) })
    const { response, text } = await ask({})
    expect(response.statusCode).toBe(500)
    expect(JSON.parse(text)).toMatchObject({ code: 'DEFECT', detail: 'x is undefined' })
    expect(text).not.toContain('control.test.ts')
    expect(defects).toEqual([defect])
  })

  test('what is not HTTP at all is hung up on, and the next one is served', async () => {
    await serve()
    const socket = connect(home.socketPath)
    socket.write('\0\x01\x02 no protocol \r\n\r\n')
    await new Promise((resolve) => socket.on('close', resolve).resume())
    expect(await controlClient(home.socketPath).status()).toEqual(BARE_STATUS)
  })
})

describe('events', () => {
  test('those of before and those to come are told, from the cursor on', async () => {
    await serve()
    for (const source of ['a', 'b']) append(source)
    const cursors: number[] = []
    for await (const { cursor } of controlClient(home.socketPath).events(1)) {
      cursors.push(cursor)
      if (cursor === 4) break
      append()
    }
    expect(cursors).toEqual([2, 3, 4])
  })

  test('Last-Event-ID works as well as after', async () => {
    await serve()
    for (const source of ['a', 'b']) append(source)
    const text = await firstBytes('/v1/events', { 'last-event-id': '1' }, 'id: 2')
    expect(text).not.toContain('id: 1\n')
  })

  test.each([
    ['are no longer kept', 1],
    ['were never given out', 1_000],
  ])('a listener that asks for events that %s is reset, and goes on from there', async (_, after) => {
    await serve()
    for (let index = 0; index < 100; index += 1) append()
    const following = controlClient(home.socketPath).events(after)
    expect((await following.next()).value).toMatchObject({ cursor: 100, event: { kind: 'reset' } })
    append('next')
    expect((await following.next()).value).toMatchObject({ cursor: 101, event: { source: 'next' } })
    await following.return()
  })

  test('silence is filled with heartbeats', async () => {
    await serve({}, { heartbeatMs: 20 })
    const text = await firstBytes('/v1/events', {}, ': alive\n\n: alive\n\n: alive\n\n')
    expect(text).not.toContain('data')
  })

  test('more listeners than the limit are refused, and there is room again when one leaves', async () => {
    await serve({}, { listenersMax: 2 })
    append()
    const client = controlClient(home.socketPath)
    const [first, second, third] = [client.events(0), client.events(0), client.events(0)]
    await first.next()
    await second.next()
    await expect(third.next()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await first.return()
    await eventually(async () => {
      const again = client.events(0)
      await again.next()
      await again.return()
    })
    await second.return()
  })

  test('a listener that reads nothing is dropped, and holds nobody up', async () => {
    await serve({}, { heartbeatMs: 50, listenersMax: 2 })
    const stuck = connect(home.socketPath).pause()
    stuck.write('GET /v1/events?after=0 HTTP/1.1\r\nhost: localhost\r\n\r\n')
    const client = controlClient(home.socketPath).events(0)
    for (let index = 1; index <= 60; index += 1) {
      append('x'.repeat(100_000))
      expect((await client.next()).value).toMatchObject({ cursor: index })
    }
    await eventually(async () => {
      const third = controlClient(home.socketPath).events(60)
      append()
      await third.next()
      await third.return()
    })
    await client.return()
    stuck.destroy()
  })

  test('all of them end when the agent stops', async () => {
    await serve()
    const listeners = Array.from({ length: 20 }, () => controlClient(home.socketPath).events(0))
    append()
    for (const listener of listeners) await listener.next()
    const ends = listeners.map((listener) => listener.next())
    await control?.[Symbol.asyncDispose]()
    control = undefined
    for (const end of await Promise.all(ends)) expect(end.done).toBe(true)
  })
})

describe('history', () => {
  test('of a product comes newest first, each update with its steps, and as long as asked for', async () => {
    await serve()
    const [product, platform] = [parseProduct('acme'), parsePlatform('any')]
    for (const version of ['1.0.0', '1.1.0']) {
      const release = { product, platform, version: parseReleaseVersion(version) }
      store.journal.enter(release, 'downloading', `${version} a`)
      store.journal.enter(release, 'activating', `${version} b`)
      store.journal.end(product, version === '1.0.0' ? 'committed' : 'failed', `${version} c`)
    }
    const client = controlClient(home.socketPath)
    const { updates } = await client.history('acme')
    expect(updates.map(({ version, state }) => [version, state])).toEqual([
      ['1.1.0', 'failed'],
      ['1.0.0', 'committed'],
    ])
    expect(updates[0]).toMatchObject({ platform: 'any', startedAt: '1.1.0 a', endedAt: '1.1.0 c' })
    expect(updates[0]?.steps).toEqual([
      { state: 'downloading', at: '1.1.0 a' },
      { state: 'activating', at: '1.1.0 b' },
      { state: 'failed', at: '1.1.0 c' },
    ])
    expect((await client.history('acme', { limit: 1 })).updates).toHaveLength(1)
  })

  test.each([
    ['ghost', 'PRODUCT_UNKNOWN'],
    ['No Product', 'PRODUCT_INVALID'],
    ['../status', 'PRODUCT_INVALID'],
  ])('of %s is %s', async (name, code) => {
    await serve()
    await expect(controlClient(home.socketPath).history(name)).rejects.toMatchObject({ code })
  })

  test.each(['0', '-1', '1e3', '99999999', ''])('refuses the limit %j', async (limit) => {
    await serve()
    const { response, text } = await ask({ path: `/v1/products/acme/history?limit=${limit}` })
    expect(response.statusCode).toBe(400)
    expect(problemSchema.parse(JSON.parse(text)).detail).toContain('limit')
  })
})

test('metrics are text, and no browser may ask for them either', async () => {
  await serve()
  const { response, text } = await ask({ path: '/metrics' })
  expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(text).toContain('up 1\n')
  expect((await ask({ path: '/metrics', headers: { host: 'evil.example' } })).response.statusCode).toBe(403)
  expect((await ask({ path: '/metrics', method: 'POST' })).response.statusCode).toBe(405)
})

describe('the socket', () => {
  test('is for its owner alone, in a folder for its owner alone, and goes with the server', async () => {
    const socketPath = join(home.root, 'run', 'agent.sock')
    await serve({}, {}, socketPath)
    expect(lstatSync(socketPath).mode & 0o777).toBe(0o600)
    expect(lstatSync(dirname(socketPath)).mode & 0o777).toBe(0o700)
    await control?.[Symbol.asyncDispose]()
    control = undefined
    expect(existsSync(socketPath)).toBe(false)
  })

  test('of an agent that was killed is replaced', async () => {
    const server = createServer().listen(home.socketPath)
    await new Promise((resolve) => server.on('listening', resolve))
    // A rename keeps the socket's file when the server that made it closes, as a kill does.
    renameSync(home.socketPath, `${home.socketPath}.kept`)
    await new Promise((resolve) => server.close(resolve))
    renameSync(`${home.socketPath}.kept`, home.socketPath)
    expect(lstatSync(home.socketPath).isSocket()).toBe(true)
    await serve()
    expect(await controlClient(home.socketPath).status()).toEqual(BARE_STATUS)
  })

  test('that somebody answers on is left alone', async () => {
    await serve()
    const first = control
    await expect(serve()).rejects.toMatchObject({ code: 'AGENT_RUNNING', hint: expect.any(String) })
    control = first
    expect(await controlClient(home.socketPath).status()).toEqual(BARE_STATUS)
  })

  test.each([
    ['a file', (path: string) => writeFileSync(path, 'mine')],
    ['a link to a file', (path: string) => symlinkSync(join(home.root, 'target'), path)],
    ['a folder', (path: string) => mkdirSync(path)],
  ])('is not made where %s is in the way, and that stays as it is', async (_, put) => {
    writeFileSync(join(home.root, 'target'), 'precious')
    put(home.socketPath)
    await expect(serve()).rejects.toMatchObject({ code: 'PERMISSION', hint: expect.any(String) })
    expect(lstatSync(home.socketPath).isSocket()).toBe(false)
    expect(readFileSync(join(home.root, 'target'), 'utf8')).toBe('precious')
    rmSync(home.socketPath, { recursive: true })
  })

  test('closes within its grace even if somebody never finishes a request', async () => {
    await serve()
    const slow = connect(home.socketPath)
    const closed = new Promise((resolve) => slow.on('close', resolve))
    await new Promise((resolve) => slow.on('connect', resolve))
    slow.write('POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{')
    await controlClient(home.socketPath).status() // Served after it: the slow one is connected.
    await control?.[Symbol.asyncDispose]()
    control = undefined
    slow.resume()
    await closed
    expect(existsSync(home.socketPath)).toBe(false)
  })
})

/** Reads until `wanted` has arrived, and hangs up. */
const firstBytes = (path: string, headers: Record<string, string>, wanted: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: home.socketPath,
      path,
      headers: { host: 'localhost', ...headers },
      agent: false,
    })
    let text = ''
    outgoing.on('response', (response) => {
      expect(response.headers['content-type']).toBe('text/event-stream')
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        if (!text.includes(wanted)) return
        resolve(text)
        response.destroy()
      })
    })
    outgoing.on('error', (error) => (text.includes(wanted) ? undefined : reject(error)))
    outgoing.end()
  })

const eventually = async (work: () => Promise<void>, deadlineMs = 50_000): Promise<void> => {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
