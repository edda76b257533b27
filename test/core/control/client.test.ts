// The client against servers that are not there, not agents, or not well: every answer is parsed, every failure has a code,
// and nothing hangs.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { RecordedEvent, Status } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { LIMITS } from '@updraft/core/limits'

const STATUS: Status = {
  apiVersion: 1,
  agent: { version: '1.0.0', pid: 1, hostname: 'h', home: '/h', startedAt: 't', swarmPort: 1 },
  sources: [],
  products: [],
  cursor: 4,
}
const event = (cursor: number, payload: object = { kind: 'check', source: 'main' }): string =>
  `id: ${cursor}\nevent: check\ndata: ${JSON.stringify({ cursor, at: 't', event: payload })}\n\n`

let directory = ''
let socketPath = ''
let server: Server | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'updraft-client-'))
  socketPath = join(directory, 's')
})
afterEach(async () => {
  const open = server
  server = undefined
  if (open !== undefined) {
    const closed = new Promise((resolve) => open.close(resolve))
    open.closeAllConnections()
    await closed
  }
  rmSync(directory, { recursive: true })
})

const answering = (handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<void> =>
  new Promise((resolve) => {
    server = createServer(handler).listen(socketPath, () => resolve())
  })

const withJson = (status: number, value: unknown): Promise<void> =>
  answering((_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value)),
  )

describe('asking', () => {
  test('a status that is one comes back as it is', async () => {
    await withJson(200, STATUS)
    expect(await controlClient(socketPath).status()).toEqual(STATUS)
  })

  test('a check sends the product as JSON', async () => {
    const bodies: string[] = []
    await answering((request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => bodies.push(`${request.method} ${request.url} ${text}`))
      request.on('end', () => response.writeHead(202).end('{"cursor": 7}'))
    })
    expect(await controlClient(socketPath).check({ product: 'acme' })).toEqual({ cursor: 7 })
    expect(await controlClient(socketPath).check()).toEqual({ cursor: 7 })
    expect(bodies).toEqual(['POST /v1/check {"product":"acme"}', 'POST /v1/check {}'])
  })

  test('a problem comes back as the error that it stands for', async () => {
    await withJson(404, {
      type: 't',
      title: 't',
      status: 404,
      detail: 'no such',
      code: 'PRODUCT_UNKNOWN',
      hint: 'look',
    })
    await expect(controlClient(socketPath).status()).rejects.toMatchObject({
      code: 'PRODUCT_UNKNOWN',
      message: 'no such',
      hint: 'look',
    })
  })

  test('what is no answer of this API is said to be none', async () => {
    const answers: readonly (readonly [status: number, body: string])[] = [
      [200, '<html>'],
      [200, '{"apiVersion": 2}'],
      [500, 'oops'],
      [500, '{}'],
      [200, ''],
    ]
    let next = 0
    await answering((_, response) => {
      const [status, body] = answers[next++] ?? [200, '']
      response.writeHead(status).end(body)
    })
    for (const _ of answers) {
      await expect(controlClient(socketPath).status()).rejects.toMatchObject({ code: 'CONTROL_INVALID' })
    }
  })

  test('an answer without end is cut off', async () => {
    await answering((_, response) => {
      const chunk = Buffer.alloc(1 << 20, ' ')
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', more)
      more()
    })
    await expect(controlClient(socketPath).status()).rejects.toMatchObject({
      code: 'CONTROL_INVALID',
      message: expect.stringContaining(String(LIMITS.controlAnswerBytes)),
    })
  })
})

describe('nobody there', () => {
  test('no socket', async () => {
    await expect(controlClient(socketPath).status()).rejects.toMatchObject({
      code: 'AGENT_NOT_RUNNING',
      hint: expect.stringContaining('updraft-agent run'),
    })
  })

  test('a file where the socket should be', async () => {
    writeFileSync(socketPath, '')
    await expect(controlClient(socketPath).check()).rejects.toMatchObject({ code: 'AGENT_NOT_RUNNING' })
  })

  test('a server that hangs up', async () => {
    await answering((request) => request.socket.destroy())
    await expect(controlClient(socketPath).status()).rejects.toMatchObject({ code: 'AGENT_NOT_RUNNING' })
  })

  test('a server that hangs up in the middle of an answer', async () => {
    await answering((request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{', () => request.socket.destroy())
    })
    await expect(controlClient(socketPath).status()).rejects.toMatchObject({ code: 'AGENT_NOT_RUNNING' })
  })

  test('a server that never answers is given up by the signal, and its connection is closed', async () => {
    const connected = Promise.withResolvers<Socket>()
    await answering((request) => connected.resolve(request.socket))
    const controller = new AbortController()
    const answer = controlClient(socketPath).status({ signal: controller.signal })
    const closed = connected.promise.then((socket) => new Promise((resolve) => socket.on('close', resolve)))
    await connected.promise
    controller.abort()
    await expect(answer).rejects.toMatchObject({ code: 'ABORTED' })
    await closed
  })

  test('an aborted signal asks nothing', async () => {
    await withJson(200, STATUS)
    await expect(controlClient(socketPath).status({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    })
  })
})

describe('following events', () => {
  const collect = async (after = 0): Promise<RecordedEvent[]> => {
    const events: RecordedEvent[] = []
    for await (const recorded of controlClient(socketPath).events(after)) events.push(recorded)
    return events
  }

  test('asks for what comes after the cursor, and ends when the agent does', async () => {
    let asked: string | undefined
    await answering((request, response) => {
      asked = request.url
      response.writeHead(200).end(`: alive\n\n${event(5)}${event(6)}`)
    })
    expect((await collect(4)).map(({ cursor }) => cursor)).toEqual([5, 6])
    expect(asked).toBe('/v1/events?after=4')
  })

  test('an event of a kind that was added later is passed over', async () => {
    await answering((_, response) => response.writeHead(200).end(event(1, { kind: 'future', x: 1 }) + event(2)))
    expect((await collect()).map(({ cursor }) => cursor)).toEqual([2])
  })

  test.each([
    ['an event of a known kind that lacks something', event(1, { kind: 'check' })],
    ['data that is not JSON', 'data: x\n\n'],
    ['data that is no event', 'data: null\n\n'],
  ])('%s ends it with CONTROL_INVALID', async (_, stream) => {
    await answering((_, response) => response.writeHead(200).end(stream))
    await expect(collect()).rejects.toMatchObject({ code: 'CONTROL_INVALID' })
  })

  test('a problem instead of events is thrown', async () => {
    await withJson(400, { type: 't', title: 't', status: 400, detail: 'no', code: 'USAGE' })
    await expect(collect()).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('a lost connection is an error, not an end', async () => {
    await answering((request, response) => {
      response.writeHead(200).write(event(1), () => setImmediate(() => request.socket.destroy()))
    })
    await expect(collect()).rejects.toMatchObject({ code: 'AGENT_NOT_RUNNING' })
  })

  test('leaving the loop closes the connection', async () => {
    const closed = Promise.withResolvers<void>()
    await answering((request, response) => {
      request.socket.on('close', () => closed.resolve())
      response.writeHead(200).write(event(1))
    })
    for await (const _ of controlClient(socketPath).events(0)) break
    await closed.promise
  })

  test('the signal ends a wait for the next event', async () => {
    await answering((_, response) => void response.writeHead(200).write(event(1)))
    const controller = new AbortController()
    const following = controlClient(socketPath).events(0, { signal: controller.signal })
    expect((await following.next()).value).toMatchObject({ cursor: 1 })
    const waiting = following.next()
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('an agent that has fallen silent is given up', async () => {
    await answering((_, response) => void response.writeHead(200).write(event(1)))
    const following = controlClient(socketPath, { eventsTimeoutMs: 1_000 }).events(0)
    await following.next()
    await expect(following.next()).rejects.toMatchObject({
      code: 'CONTROL_INVALID',
      message: expect.stringContaining('silent'),
    })
  })
})

test('an agent that does not answer is given up', async () => {
  await answering(() => {})
  await expect(controlClient(socketPath, { answerTimeoutMs: 50 }).status()).rejects.toMatchObject({
    code: 'CONTROL_INVALID',
    message: expect.stringContaining('silent'),
  })
})
