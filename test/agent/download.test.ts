import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { download } from '../../agent/src/download.ts'

let server: Server
let base: string
let answer: RequestListener = () => {}

beforeAll(async () => {
  server = createServer((request, response) => {
    response.setHeader('connection', 'close')
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const get = (options: Partial<Parameters<typeof download>[1]> = {}) =>
  download(`${base}file`, { maxBytes: 1_000, timeoutMs: 5_000, ...options })

test('gives the bytes of a file, up to exactly its limit', async () => {
  answer = (_, response) => response.end('x'.repeat(1_000))
  expect(await get()).toEqual({ kind: 'bytes', bytes: Buffer.from('x'.repeat(1_000)) })
  await expect(get({ maxBytes: 999 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
})

test('an empty file is a file', async () => {
  answer = (_, response) => response.end()
  expect(await get()).toEqual({ kind: 'bytes', bytes: Buffer.alloc(0) })
})

test.each([404, 403])('%s says that there is no such file', async (status) => {
  answer = (_, response) => response.writeHead(status).end('no')
  expect(await get()).toEqual({ kind: 'missing', status })
})

test.each([400, 401, 410, 429, 500, 503])('%s says nothing about the file', async (status) => {
  answer = (_, response) => response.writeHead(status).end('no')
  await expect(get()).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringContaining(`${status}`),
  })
})

describe('length', () => {
  test('a body without end is cut off, and the server notices', async () => {
    const closed = Promise.withResolvers<void>()
    answer = (_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(16_384)));
      }
      response.on('drain', more).on('close', () => closed.resolve())
      more()
    }
    await expect(get()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await closed.promise
  })

  test('what is compressed, which was not asked for, is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000))
    answer = ({ headers }, response) => {
      expect(headers['accept-encoding']).toBe('identity')
      response.setHeader('content-encoding', 'gzip').end(bomb)
    }
    await expect(get({ maxBytes: 100_000 })).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('the answer is compressed (gzip), which was not asked for'),
    })
  })

  test('a body that ends too early is an error, not a short file', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half')
      setImmediate(() => response.destroy())
    }
    await expect(get()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })
})

describe('time', () => {
  test.each([
    ['never answers', () => {}],
    ['stops in the middle', (_: unknown, response: { write(text: string): void }) => response.write('{')],
  ] as [string, RequestListener][])('a server that %s is out of reach', async (_, listener) => {
    answer = listener
    await expect(get({ timeoutMs: 100 })).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('0.1 s'),
    })
  })

  test('whoever gives up is told that, and not that the server failed', async () => {
    const controller = new AbortController()
    answer = () => controller.abort()
    await expect(get({ signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(get({ signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('redirects', () => {
  const moved =
    (location: string, status = 302): RequestListener =>
    (request, response) => {
      if (request.url === '/file') response.writeHead(status, { location }).end()
      else response.end(`at ${request.url}`)
    }

  test.each([301, 302, 303, 307, 308])('%s is followed on the same server', async (status) => {
    answer = moved('/elsewhere?x', status)
    expect(await get()).toEqual({ kind: 'bytes', bytes: Buffer.from('at /elsewhere?x') })
  })

  test.each(['http://localhost:9/', 'https://127.0.0.1/', 'file:///etc/passwd', '//example.invalid/x', 'data:,x'])(
    'to %s is refused',
    async (location) => {
      answer = moved(location)
      await expect(get()).rejects.toMatchObject({
        code: 'SOURCE_UNREACHABLE',
        message: expect.stringContaining('redirects'),
      })
    },
  )

  test.each([
    ['in circles', '/file'],
    ['without a place', ''],
    ['to nonsense', 'http://['],
  ])('%s end', async (_, location) => {
    answer = moved(location)
    await expect(get()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })
})

test('nobody listening is out of reach, with the reason', async () => {
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  gone.close()
  await once(gone, 'close')
  await expect(download(`http://127.0.0.1:${port}/x`, { maxBytes: 1, timeoutMs: 5_000 })).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: expect.stringContaining('ECONNREFUSED'),
  })
})
