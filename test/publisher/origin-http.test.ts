// The origin's HTTP side over real sockets: what may be read, how it is answered, and what a bad client can not do.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type FileServer, openFileServer, PUBLIC_FOLDERS, type PublicFolder } from '../../publisher/src/origin/files.ts'
import { type HttpServer, openHttpServer } from '../../publisher/src/origin/http.ts'
import { openTracker } from '../../publisher/src/origin/tracker.ts'
import { silentLog, until } from './origin-support.ts'

const SHA256 = 'a'.repeat(64)
const INDEX = `targets/acme/1.0.0-rc.1/${SHA256}.linux-x64.index`
const PACK = 'bundles/acme_1.0.0_linux-x64/pack'
const PACK_BYTES = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251))
const BIG = 'bundles/acme_1.0.0_linux-x64/big'
const BIG_BYTES = 64 * 1024 * 1024

let folder: string
let repository: string
let server: HttpServer
let port: number
const tracker = openTracker({ log: silentLog })

const put = async (path: string, bytes: Uint8Array | string) => {
  await mkdir(join(repository, path, '..'), { recursive: true })
  await writeFile(join(repository, path), bytes)
}

interface Overrides {
  readonly files?: FileServer
  readonly folders?: readonly PublicFolder[]
  readonly connectionsMax?: number
  readonly idleTimeoutMs?: number
}

const open = async (overrides: Overrides = {}): Promise<HttpServer & { readonly port: number }> => {
  const opened = openHttpServer({
    files: await openFileServer(repository),
    folders: PUBLIC_FOLDERS,
    tracker,
    pages: (request) => new Response(`page ${new URL(request.url).pathname}`),
    log: silentLog,
    ...overrides,
  })
  return Object.assign(opened, { port: await opened.listen('127.0.0.1', 0) })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'origin-http-'))
  repository = join(folder, 'r')
  await put('metadata/timestamp.json', '{"t":1}')
  await put('metadata/1.root.json', '{"r":1}')
  await put('metadata/.timestamp.json.abc.tmp', 'half')
  await put(INDEX, 'index')
  await put(PACK, PACK_BYTES)
  await put('bundles/acme_1.0.0_linux-x64/empty', '')
  await put(BIG, Buffer.alloc(BIG_BYTES))
  await put('repository.json', '{"private":"settings"}')
  await put('.staging/metadata/2.root.json', 'SECRET')
  await put('../r.keys/root-12345678.pem', 'SECRET')
  await put('keys/root-12345678.pem', 'SECRET')
  await symlink('/etc/passwd', join(repository, 'bundles/passwd'))
  await symlink('../repository.json', join(repository, 'metadata/settings.json'))
  await symlink('../../r.keys', join(repository, 'bundles/keys'))
  execFileSync('mkfifo', [join(repository, 'bundles/pipe')])
  server = await open()
  port = (server as HttpServer & { port: number }).port
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await tracker[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const url = (path: string): string => `http://127.0.0.1:${port}/${path}`

/** Sends exactly these characters, which no HTTP client would, and gives the whole answer. */
const ask = async (target: string, method = 'GET'): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n`)
  return text(socket)
}

const statusOf = (answer: string): number => Number(answer.split(' ')[1])

describe('what may be read', () => {
  test.each([
    ['metadata/timestamp.json', 'application/json', 'no-cache'],
    ['metadata/1.root.json', 'application/json', 'public, max-age=31536000, immutable'],
    [INDEX, 'application/octet-stream', 'public, max-age=31536000, immutable'],
    [PACK, 'application/octet-stream', 'public, max-age=31536000, immutable'],
  ])('%s', async (path, type, cacheControl) => {
    const response = await fetch(url(path))
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(type)
    expect(response.headers.get('cache-control')).toBe(cacheControl)
    expect(response.headers.get('accept-ranges')).toBe('bytes')
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect((await response.bytes()).length).toBe(Number(response.headers.get('content-length')))
  })

  test('a whole file arrives byte for byte, a query is ignored, and so is the address that a proxy puts in front', async () => {
    expect(Buffer.from(await (await fetch(url(`${PACK}?x=1`))).bytes()).equals(PACK_BYTES)).toBe(true)
    expect(await ask(`http://elsewhere.example/${INDEX}`)).toMatch(/^HTTP\/1.1 200 .*\r\n\r\nindex$/s)
  })

  test('an empty file is an answer without bytes', async () => {
    const response = await fetch(url('bundles/acme_1.0.0_linux-x64/empty'))
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', ''])
  })
})

describe('paths that must not lead anywhere', () => {
  test.each([
    ['up', '/metadata/../repository.json'],
    ['up, from nowhere', '/../r.keys/root-12345678.pem'],
    ['up and down again', '/metadata/../metadata/timestamp.json'],
    ['encoded dots', '/metadata/%2e%2e/repository.json'],
    ['an encoded slash', '/metadata/..%2frepository.json'],
    ['encoded twice', '/metadata/%252e%252e%252frepository.json'],
    ['overlong UTF-8', '/metadata/%c0%ae%c0%ae/repository.json'],
    ['a backslash', '/metadata/..\\repository.json'],
    ['an encoded backslash', '/metadata/..%5crepository.json'],
    ['a null byte', '/metadata/timestamp.json%00.png'],
    ['an empty part', '/metadata//timestamp.json'],
    ['an absolute path', '/metadata//etc/passwd'],
    ['a dot', '/metadata/./timestamp.json'],
    ['a second spelling', '/metadata/timestamp%2ejson'],
    ['settings', '/repository.json'],
    ['staging', '/.staging/metadata/2.root.json'],
    ['keys', '/keys/root-12345678.pem'],
    ['half a file', '/metadata/.timestamp.json.abc.tmp'],
    ['a link out', '/bundles/passwd'],
    ['a link inside', '/metadata/settings.json'],
    ['a folder that is a link', '/bundles/keys/root-12345678.pem'],
    ['a named pipe', '/bundles/pipe'],
    ['a folder', '/metadata'],
    ['a folder with a slash', '/metadata/'],
    ['a folder of a bundle', '/bundles/acme_1.0.0_linux-x64'],
    ['a file with a slash', '/metadata/timestamp.json/'],
    ['a file as a folder', '/metadata/timestamp.json/x'],
    ['another case', '/Metadata/timestamp.json'],
    ['a name too long', `/metadata/${'a'.repeat(300)}`],
    ['too deep', `/targets/${'a/'.repeat(50)}a`],
    ['no such file', '/metadata/2.root.json'],
  ])('%s', async (_, target) => {
    const answer = await ask(target)
    const missing = statusOf(answer) === 404 || statusOf(answer) === 400
    // What does not begin with one of the three folders is for the pages, which read no files.
    expect(missing || /\r\n\r\npage /.test(answer)).toBe(true)
    expect(answer).not.toMatch(/SECRET|private|root:|"t":1|half/)
  })

  test('an answer that a file is missing is never kept by a cache', async () => {
    expect((await fetch(url('metadata/2.root.json'))).headers.get('cache-control')).toBe('no-store')
  })

  test('without bundles, no byte of one is served', async () => {
    await using metadataOnly = await open({ folders: ['metadata', 'targets'] })
    const response = await fetch(`http://127.0.0.1:${metadataOnly.port}/${PACK}`)
    expect(response.status).toBe(404)
    expect((await response.bytes()).length).toBeLessThan(100)
    expect((await fetch(`http://127.0.0.1:${metadataOnly.port}/${INDEX}`)).status).toBe(200)
  })
})

describe('ranges', () => {
  const last = PACK_BYTES.length - 1
  test.each<[string, string, number, string | null, Uint8Array | undefined]>([
    ['a part', 'bytes=10-19', 206, `bytes 10-19/${last + 1}`, PACK_BYTES.subarray(10, 20)],
    ['one byte', 'bytes=0-0', 206, `bytes 0-0/${last + 1}`, PACK_BYTES.subarray(0, 1)],
    ['to the end', `bytes=${last - 4}-`, 206, `bytes ${last - 4}-${last}/${last + 1}`, PACK_BYTES.subarray(last - 4)],
    [
      'beyond the end',
      `bytes=${last}-${last + 50}`,
      206,
      `bytes ${last}-${last}/${last + 1}`,
      PACK_BYTES.subarray(last),
    ],
    ['the last five', 'bytes=-5', 206, `bytes ${last - 4}-${last}/${last + 1}`, PACK_BYTES.subarray(last - 4)],
    ['more than all', 'bytes=-9999999', 206, `bytes 0-${last}/${last + 1}`, PACK_BYTES],
    ['after the end', `bytes=${last + 1}-`, 416, `bytes */${last + 1}`, undefined],
    ['the last none', 'bytes=-0', 416, `bytes */${last + 1}`, undefined],
    ['several: all of it', 'bytes=0-1,4-5', 200, null, PACK_BYTES],
    ['backwards: all of it', 'bytes=9-3', 200, null, PACK_BYTES],
    ['nonsense: all of it', 'bytes=a-b', 200, null, PACK_BYTES],
    ['another unit: all of it', 'items=0-1', 200, null, PACK_BYTES],
    ['numbers beyond any: all of it', `bytes=0-${'9'.repeat(400)}`, 200, null, PACK_BYTES],
  ])('%s', async (_, range, status, contentRange, bytes) => {
    const response = await fetch(url(PACK), { headers: { range } })
    const body = await response.bytes()
    expect(response.status).toBe(status)
    expect(response.headers.get('content-range')).toBe(contentRange)
    if (bytes !== undefined) expect(Buffer.from(body).equals(bytes)).toBe(true)
  })

  test('of an empty file there is none', async () => {
    const response = await fetch(url('bundles/acme_1.0.0_linux-x64/empty'), { headers: { range: 'bytes=0-0' } })
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */0'])
  })

  test('If-Range with another tag gives the whole file, with the same tag the part', async () => {
    const etag = (await fetch(url(PACK), { method: 'HEAD' })).headers.get('etag') ?? ''
    const get = (ifRange: string) => fetch(url(PACK), { headers: { range: 'bytes=0-9', 'if-range': ifRange } })
    expect((await get('"other"')).status).toBe(200)
    expect((await get(etag)).status).toBe(206)
  })
})

describe('caches', () => {
  test('the same file is not sent again; a replaced one is', async () => {
    const first = await fetch(url('metadata/timestamp.json'))
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[^"]+"$/s)
    const again = (tag: string) => fetch(url('metadata/timestamp.json'), { headers: { 'if-none-match': tag } })
    for (const tag of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
      const same = await again(tag)
      expect([tag, same.status, await same.text(), same.headers.get('etag')]).toEqual([tag, 304, '', etag])
    }
    expect((await again('"x"')).status).toBe(200)

    await put('metadata/new', '{"t":2}')
    await rename(join(repository, 'metadata/new'), join(repository, 'metadata/timestamp.json'))
    const changed = await again(etag)
    expect([changed.status, await changed.text()]).toEqual([200, '{"t":2}'])
  })
})

describe('methods', () => {
  test('HEAD tells the length and sends nothing', async () => {
    const response = await fetch(url(PACK), { method: 'HEAD', headers: { range: 'bytes=0-1' } })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-length')).toBe(String(PACK_BYTES.length))
    expect(await response.text()).toBe('')
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s is refused, for files, pages and tracker', async (method) => {
    for (const path of [PACK, '', 'announce']) {
      const response = await fetch(url(path), { method, body: 'x' })
      expect([path, response.status, response.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD, OPTIONS'])
    }
  })

  test('a browser may ask from anywhere, with a range', async () => {
    const response = await fetch(url(PACK), { method: 'OPTIONS' })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-headers')).toContain('range')
  })

  test('a connection serves one request after another', async () => {
    const socket = connect(port, '127.0.0.1')
    const request = (last: string) => `GET /${INDEX} HTTP/1.1\r\nHost: o\r\nConnection: ${last}\r\n\r\n`
    socket.write(request('keep-alive') + request('keep-alive') + request('close'))
    expect((await text(socket)).match(/HTTP\/1\.1 200/g)).toHaveLength(3)
  })
})

describe('clients that hold on', () => {
  const opened = async (at: number): Promise<Socket> => {
    const socket = connect(at, '127.0.0.1')
    socket.on('error', () => {}) // A refused connection may end with a reset; its close is what counts.
    await once(socket, 'connect')
    return socket
  }

  test('one that asks for much and reads nothing is cut off, and its place is free again', async () => {
    await using single = await open({ idleTimeoutMs: 200, connectionsMax: 1 })
    const before = process.memoryUsage().rss
    const socket = await opened(single.port)
    socket.pause()
    socket.write(`GET /${BIG} HTTP/1.1\r\nHost: o\r\n\r\n`)
    const next = () => fetch(`http://127.0.0.1:${single.port}/${INDEX}`)
    expect((await until(() => next().catch(() => undefined))).status).toBe(200)
    expect(process.memoryUsage().rss - before).toBeLessThan(BIG_BYTES / 2)
    let received = 0
    socket.on('data', (data: Buffer) => {
      received += data.length
    })
    socket.resume()
    await once(socket, 'close')
    expect(received).toBeLessThan(BIG_BYTES)
  })

  test('one that reads, but too slowly, is cut off as well', async () => {
    const files = await openFileServer(repository, { pace: { graceMs: 100, bytesPerSecondMin: BIG_BYTES * 10 } })
    await using patient = await open({ files })
    const socket = await opened(patient.port)
    let received = 0
    socket.on('readable', () => {
      received += socket.read(1)?.length ?? 0
    })
    socket.write(`GET /${BIG} HTTP/1.1\r\nHost: o\r\n\r\n`)
    await until(() => (received > 0 ? true : undefined))
    const trickle = setInterval(() => {
      received += socket.read()?.length ?? 0
    }, 20)
    await once(socket, 'close')
    clearInterval(trickle)
    expect(received).toBeLessThan(BIG_BYTES)
  })

  test('one that sends nothing is cut off', async () => {
    await using hasty = await open({ idleTimeoutMs: 100 })
    const socket = await opened(hasty.port)
    socket.resume()
    await once(socket, 'close')
  })

  test('more connections than allowed are closed at once, and those that are open go on', async () => {
    await using small = await open({ connectionsMax: 2 })
    const first = await opened(small.port)
    const second = await opened(small.port)
    const third = await opened(small.port)
    third.resume()
    await once(third, 'close')
    first.write(`GET /${INDEX} HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n`)
    expect(await text(first)).toContain('200 OK')
    second.destroy()
  })

  test('stopping ends a download that nobody reads, within the grace', async () => {
    const stopping = await open()
    const socket = await opened(stopping.port)
    socket.pause()
    socket.write(`GET /${BIG} HTTP/1.1\r\nHost: o\r\n\r\n`)
    await once(socket, 'readable')
    const began = Date.now()
    await stopping[Symbol.asyncDispose]()
    expect(Date.now() - began).toBeLessThan(3_000)
    socket.destroy()
  })
})

describe('ports', () => {
  const another = async () =>
    openHttpServer({
      files: await openFileServer(repository),
      folders: PUBLIC_FOLDERS,
      tracker,
      pages: () => new Response(''),
      log: silentLog,
    })

  test('a port in use is told with its number and what to do', async () => {
    await expect((await another()).listen('127.0.0.1', port)).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(String(port)),
      hint: expect.stringContaining('--port'),
    })
  })

  test('an address of another machine is an input error', async () => {
    await expect((await another()).listen('192.0.2.1', 0)).rejects.toMatchObject({ code: 'USAGE' })
  })
})
