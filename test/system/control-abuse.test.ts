// A real agent's control API under abuse, on its socket and on its port: whoever comes, and however, gets the documented
// refusal or is hung up on, and the agent goes on answering those who have business there.
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { problemSchema } from '@updraft/core/control/api'
import { type ControlClient, controlClient } from '@updraft/core/control/client'
import { LIMITS } from '@updraft/core/limits'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { describeWith, needsRoot } from '../support/needs.ts'
import { type Program, runToEnd, startProgram } from '../support/programs.ts'

const PROGRAM = join(import.meta.dirname, '../support/fake-agent.ts')
const PAGE = 'https://admin.example.com'

let home: TemporaryHome
let agent: Program
let client: ControlClient
let url: string
let token: string

const environment = () => ({ UPDRAFT_HOME: home.root })

beforeAll(async () => {
  home = temporaryHome()
  chmodSync(home.root, 0o755)
  writeFileSync(join(home.root, 'agent.json'), JSON.stringify({ control: { loopback: { origins: [PAGE] } } }))
  agent = startProgram(PROGRAM, ['run'], { environment: environment() })
  await agent.said('runs on')
  client = controlClient(home.socketPath)
  url = (await client.status()).agent.controlUrl ?? ''
  token = readFileSync(join(home.stateDirectory, 'control-token'), 'utf8').trim()
})
afterEach(async () => {
  expect((await client.status()).agent.pid).toBe(agent.child.pid)
  expect(
    (await controlClient({ url, tokenFile: join(home.stateDirectory, 'control-token') }).status()).apiVersion,
  ).toBe(1)
})
afterAll(async () => {
  agent.child.kill('SIGTERM')
  const { code, stderr } = await agent.ended
  home[Symbol.dispose]()
  expect(code).toBe(0)
  expect(stderr).not.toContain('defect')
  expect(stderr).not.toContain(token)
})

/** One of the two ways in, and the lines that every request has to have there. */
interface Door {
  readonly open: () => Socket
  readonly host: () => string
  readonly lines: () => string
}

const DOORS: Readonly<Record<string, Door>> = {
  socket: { open: () => connect(home.socketPath), host: () => 'localhost', lines: () => 'host: localhost\r\n' },
  port: {
    open: () => connect(Number(new URL(url).port), '127.0.0.1'),
    host: () => new URL(url).host,
    lines: () => `host: ${new URL(url).host}\r\nauthorization: Bearer ${token}\r\n`,
  },
}
const each = Object.entries(DOORS)

/** Sends the bytes, and reads until the other end hangs up; without any answer that is an empty text. */
const raw = ({ open }: Door, bytes: string | Buffer): Promise<string> =>
  new Promise((resolve) => {
    const socket = open()
    let text = ''
    socket.setEncoding('latin1').on('data', (data: string) => {
      text += data
    })
    socket.on('error', () => {}) // Hung up on while it still writes: what was answered counts.
    socket.on('close', () => resolve(text))
    socket.write(bytes)
  })

/** Status of the first answer, and the code of its problem; undefined if it is none. */
const verdictOf = (text: string): readonly [status: number, code: string | undefined] => {
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1])
  if (!/^content-type: application\/problem\+json\r$/im.test(text)) return [status, undefined]
  const json = text.slice(text.indexOf('{'), text.indexOf('}') + 1)
  return [status, problemSchema.parse(JSON.parse(json)).code]
}

const get = (door: Door, path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\n${door.lines()}connection: close\r\n${more}\r\n`
const post = (door: Door, path: string, more: string, body: string) =>
  `POST ${path} HTTP/1.1\r\n${door.lines()}connection: close\r\n${more}\r\n${body}`

const MALFORMED: readonly (readonly [name: string, request: (door: Door) => string | Buffer, status: number, code: string])[] = [
  ['no protocol', () => '\0\x01\x02 no protocol \r\n\r\n', 400, 'USAGE'],
  ['random bytes', () => Buffer.from(Array.from({ length: 4_096 }, (_, index) => (index * 7_919 + 13) % 251)), 400, 'USAGE'],
  ['the greeting of TLS', () => Buffer.from('16030100c8010000c40303', 'hex'), 400, 'USAGE'],
  ['HTTP 2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'USAGE'],
  ['a method that is none', ({ lines }) => `G\x7fT /v1/status HTTP/1.1\r\n${lines()}\r\n`, 400, 'USAGE'],
  ['a method that is unknown', (door) => get(door, '/v1/status').replace('GET', 'PURGE'), 405, 'USAGE'],
  ['a tunnel', ({ lines }) => `CONNECT 192.0.2.1:443 HTTP/1.1\r\n${lines()}connection: close\r\n\r\n`, 0, ''],
  ['an upgrade to what is not spoken', (door) => get(door, '/v1/nothing', 'upgrade: websocket\r\n'), 404, 'USAGE'],
  ['an absolute address of somebody else', (door) => get(door, 'http://evil.example/v1/status'), 400, 'USAGE'],
  ['a path that climbs', (door) => get(door, '/v1/../../etc/passwd'), 404, 'USAGE'],
  ['a path that climbs in disguise', (door) => get(door, '/v1/%2e%2e/%2e%2e/etc/passwd'), 404, 'USAGE'],
  ['a path with a backslash', (door) => get(door, '/v1\\status'), 404, 'USAGE'],
  ['a percent sign alone', (door) => get(door, '/v1/products/%/history'), 400, 'USAGE'],
  ['a percent encoding of no text', (door) => get(door, '/v1/products/%ff%fe/history'), 400, 'USAGE'],
  ['a NUL in a name', (door) => get(door, '/v1/products/a%00b/history'), 400, 'PRODUCT_INVALID'],
  ['a name that is a property of every object', (door) => get(door, '/v1/products/__proto__/history'), 400, 'PRODUCT_INVALID'],
  ['a path of 10 KB', (door) => get(door, `/${'a'.repeat(10_000)}`), 404, 'USAGE'],
  ['a cursor that is no number', (door) => get(door, '/v1/events?after=0x10'), 400, 'USAGE'],
  ['a cursor beyond all numbers', (door) => get(door, `/v1/events?after=${'9'.repeat(400)}`), 400, 'USAGE'],
  ['a Last-Event-ID with control characters', (door) => get(door, '/v1/events', 'last-event-id: 1\t2\r\n'), 400, 'USAGE'],
  ['headers of 20 KB', (door) => get(door, '/v1/status', `x: ${'a'.repeat(20_000)}\r\n`), 431, 'LIMIT_EXCEEDED'],
  ['JSON that nests without end', (door) => post(door, '/v1/check', 'content-length: 60000\r\n', '['.repeat(60_000)), 400, 'USAGE'],
  ['JSON with a prototype', (door) => post(door, '/v1/check', 'content-length: 30\r\n', '{"__proto__":{"product":"x"}} a'), 400, 'USAGE'],
  ['no JSON', (door) => post(door, '/v1/check', 'content-length: 3\r\n', '\xff\xfe{'), 400, 'USAGE'],
  ['a body of many megabytes that is announced', (door) => post(door, '/v1/check', 'content-length: 99999999\r\n', 'a'.repeat(1 << 20)), 413, 'LIMIT_EXCEEDED'],
  ['a body of many megabytes in chunks', (door) => post(door, '/v1/check', 'transfer-encoding: chunked\r\n', `100000\r\n${'a'.repeat(1 << 20)}\r\n`), 413, 'LIMIT_EXCEEDED'],
  ['a body in chunks of a foreign count', (door) => post(door, '/v1/check', 'transfer-encoding: chunked\r\n', 'zz\r\n{}\r\n0\r\n\r\n'), 400, 'USAGE'],
  ['chunks whose extensions never end', (door) => post(door, '/v1/check', 'transfer-encoding: chunked\r\n', `2;${'a'.repeat(40_000)}\r\n{}\r\n0\r\n\r\n`), 413, 'LIMIT_EXCEEDED'],
  ['smuggling: two lengths', (door) => post(door, '/v1/check', 'content-length: 2\r\ncontent-length: 3\r\n', '{}x'), 400, 'USAGE'],
  ['smuggling: a length, and chunks', (door) => post(door, '/v1/check', 'content-length: 2\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n'), 400, 'USAGE'],
  ['smuggling: chunks that are no chunks', (door) => post(door, '/v1/check', 'transfer-encoding: xchunked\r\n', '0\r\n\r\n'), 400, 'USAGE'],
  ['smuggling: a length with a sign', (door) => post(door, '/v1/check', 'content-length: +2\r\n', '{}'), 400, 'USAGE'],
  ['smuggling: a space before the colon', (door) => post(door, '/v1/check', 'content-length : 2\r\n', '{}'), 400, 'USAGE'],
  ['smuggling: a line that is folded', (door) => get(door, '/v1/status', 'x: a\r\n b\r\n'), 400, 'USAGE'],
  ['smuggling: lines that end in LF alone', (door) => get(door, '/v1/status').replaceAll('\r\n', '\n'), 400, 'USAGE'],
  ['two hosts', (door) => get(door, '/v1/status', 'host: evil.example\r\n'), 400, 'USAGE'],
  ['no host', (door) => get(door, '/v1/status').replace(/host: .*\r\n/, ''), 400, 'USAGE'],
  ['a host that ends like the own one', (door) => get(door, '/v1/status').replace(/host: (.*)\r\n/, 'host: evil.$1\r\n'), 403, 'PERMISSION'],
  ['a host that was pointed here (DNS rebinding)', (door) => get(door, '/v1/status').replace(/host: .*\r\n/, 'host: evil.example\r\n'), 403, 'PERMISSION'],
  ['a web page', (door) => get(door, '/v1/status', 'origin: https://evil.example\r\n'), 403, 'PERMISSION'],
  ['a web page that hides', (door) => get(door, '/v1/status', 'origin: null\r\n'), 403, 'PERMISSION'],
  ['a web page on this very host', (door) => get(door, '/v1/status', `origin: http://${door.host()}\r\n`), 403, 'PERMISSION'],
  ['two origins, one of which may', (door) => get(door, '/v1/status', `origin: ${PAGE}\r\norigin: https://evil.example\r\n`), 400, 'USAGE'],
  ['a browser that asks whether it may', (door) => get(door, '/v1/check', 'origin: https://evil.example\r\naccess-control-request-method: POST\r\n').replace('GET', 'OPTIONS'), 403, 'PERMISSION'],
] // biome-ignore format: one case per line

describe.each(each)('on the %s', (_, door) => {
  test('malformed everything is refused with the documented problem, or hung up on', async () => {
    const outcomes = await Promise.all(
      MALFORMED.map(async ([what, request]) => {
        const text = await raw(door, request(door))
        return text === '' ? [what, 0, ''] : [what, ...verdictOf(text)]
      }),
    )
    expect(outcomes).toEqual(MALFORMED.map(([what, _, status, code]) => [what, status, code]))
  })

  test('thousands of requests in a pipe: a few are answered, then it is closed; others do not wait for it', async () => {
    const flood = raw(door, `GET /v1/status HTTP/1.1\r\n${door.lines()}\r\n`.repeat(5_000))
    await client.status()
    const text = await flood
    expect(text.split('HTTP/1.1 200 OK').length - 1).toBeLessThanOrEqual(LIMITS.controlPipelinedMax)
    expect(text.split('HTTP/1.1 503 ').length - 1).toBe(1)
    expect(text).toContain('"code":"LIMIT_EXCEEDED"')
  })

  test('a thousand listeners at once: as many as there is room for, the others are told, and memory is bounded', async () => {
    const before = residentBytes()
    const listeners = await Promise.all(Array.from({ length: 1_000 }, () => listen(door)))
    const heads = listeners.map(([head]) => head)
    await client.status()
    await client.check()
    expect(heads.filter((head) => head.startsWith('HTTP/1.1 200 '))).toHaveLength(LIMITS.controlListenersMax)
    const refused = heads.filter((head) => head.startsWith('HTTP/1.1 503 '))
    expect(refused).toHaveLength(1_000 - LIMITS.controlListenersMax)
    for (const head of refused) expect(head).toMatch(/connection: close/i)
    expect(residentBytes() - before).toBeLessThan(128 * 2 ** 20)
    for (const [, socket] of listeners) socket.destroy()
    await roomForOne(door)
  })
})

test('who sends slowly, or nothing, is given up within the time of a request; others do not wait for it', async () => {
  const startedAt = performance.now()
  const begun = Object.values(DOORS).flatMap((door) =>
    [
      '',
      'GET /v1/sta',
      `GET /v1/status HTTP/1.1\r\n${door.lines()}x: `,
      `POST /v1/check HTTP/1.1\r\n${door.lines()}content-length: 100\r\n\r\n{`,
      `POST /v1/check HTTP/1.1\r\n${door.lines()}transfer-encoding: chunked\r\n\r\nffff\r\n{`,
    ].map(async (begin) => {
      const socket = door.open()
      const trickle = setInterval(() => begin !== '' && socket.write('a'), 500)
      let text = ''
      socket.setEncoding('latin1').on('data', (data: string) => {
        text += data
      })
      socket.on('error', () => {}) // It writes on after it was given up.
      socket.write(begin)
      await new Promise((resolve) => socket.on('close', resolve))
      clearInterval(trickle)
      return verdictOf(text)
    }),
  )
  for (let asked = 0; asked < 20; asked += 1) await client.status()
  expect(await Promise.all(begun)).toEqual(begun.map(() => [408, 'LIMIT_EXCEEDED']))
  // A hang is what this would find: the limit is ten seconds, and it is looked at every second.
  expect(performance.now() - startedAt).toBeLessThan(3 * LIMITS.controlRequestTimeoutMs)
}, 40_000)

describe('on the port', () => {
  const withToken = (authorization: string) =>
    raw(
      DOORS.port as Door,
      `GET /v1/status HTTP/1.1\r\nhost: ${new URL(url).host}\r\nconnection: close\r\n${authorization}\r\n`,
    )

  test('without its token nobody gets anything, however it is sent', async () => {
    const sent = [
      '',
      'authorization: Bearer\r\n',
      `authorization: Bearer ${token.slice(0, -1)}\r\n`,
      `authorization: Bearer ${token}x\r\n`,
      `authorization: Bearer ${token.toLowerCase()}\r\n`,
      `authorization: Basic ${token}\r\n`,
      `authorization: Bearer ${'a'.repeat(15_000)}\r\n`,
      `authorization: Bearer ${token} ${token}\r\n`,
      `x-authorization: Bearer ${token}\r\n`,
      `cookie: authorization=${token}\r\n`,
    ]
    for (const lines of sent) {
      const text = await withToken(lines)
      expect([lines.slice(0, 60), ...verdictOf(text)]).toEqual([lines.slice(0, 60), 401, 'TOKEN_INVALID'])
      expect(text).toMatch(/www-authenticate: Bearer/i)
    }
    expect(verdictOf(await withToken(`authorization: Bearer x\r\nauthorization: Bearer ${token}\r\n`))).toEqual([
      400,
      'USAGE',
    ])
    expect(
      verdictOf(
        await raw(
          DOORS.port as Door,
          `GET /v1/status?token=${token} HTTP/1.1\r\nhost: ${new URL(url).host}\r\nconnection: close\r\n\r\n`,
        ),
      ),
    ).toEqual([401, 'TOKEN_INVALID'])
  })

  test('a page that the settings name may ask, with the token; and no other is told that it might', async () => {
    const preflight = await fetch(`${url}/v1/check`, {
      method: 'OPTIONS',
      headers: {
        origin: PAGE,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, PAGE])
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull()
    const asked = await fetch(`${url}/v1/status`, { headers: { origin: PAGE, authorization: `Bearer ${token}` } })
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([200, PAGE])
    expect((await fetch(`${url}/v1/status`, { headers: { origin: PAGE } })).status).toBe(401)
    const foreign = await fetch(`${url}/v1/status`, {
      headers: { origin: 'https://evil.example', authorization: `Bearer ${token}` },
    })
    expect([foreign.status, foreign.headers.get('access-control-allow-origin')]).toEqual([403, null])
  })

  test('is of this machine only, and its token for the agent’s user only', () => {
    expect(new URL(url).hostname).toBe('127.0.0.1')
    expect(statSync(join(home.stateDirectory, 'control-token')).mode & 0o777).toBe(0o600)
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0')
    const listening = ['tcp', 'tcp6'].flatMap((kind) =>
      readFileSync(`/proc/net/${kind}`, 'utf8')
        .split('\n')
        .filter((line) => line.includes(`:${port} `) && / 0A /.test(line)),
    )
    expect(listening.map((line) => line.trim().split(/\s+/)[1])).toEqual([`0100007F:${port}`])
  })

  test('the command line asks there, and tells a wrong token from an agent that is not there', async () => {
    const there = { UPDRAFT_HOME: join(home.root, 'other'), UPDRAFT_CONTROL: url }
    const tokenFile = join(home.stateDirectory, 'control-token')
    const asked = await runToEnd(PROGRAM, ['status', '--json'], {
      environment: { ...there, UPDRAFT_CONTROL_TOKEN_FILE: tokenFile },
    })
    expect([asked.code, JSON.parse(asked.stdout).agent.pid]).toEqual([0, agent.child.pid])
    const wrong = join(home.root, 'wrong')
    mkdirSync(join(home.root, 'other'))
    writeFileSync(wrong, 'x'.repeat(43))
    const outcomes: readonly (readonly [environment: Record<string, string>, code: number, says: string])[] = [
      [{ ...there, UPDRAFT_CONTROL_TOKEN_FILE: wrong }, 5, 'this is not the token of the agent'],
      [there, 5, 'there is no token at'],
      [{ ...there, UPDRAFT_CONTROL: 'http://192.0.2.1:80' }, 2, 'is not a port of this machine'],
      [
        { ...there, UPDRAFT_CONTROL: 'http://127.0.0.1:1', UPDRAFT_CONTROL_TOKEN_FILE: tokenFile },
        9,
        'no agent answers on http://127.0.0.1:1',
      ],
    ]
    for (const [environment, code, says] of outcomes) {
      expect(await runToEnd(PROGRAM, ['status'], { environment })).toMatchObject({
        code,
        stderr: expect.stringContaining(says),
      })
    }
  })
})

describeWith([needsRoot], 'another user of this machine', () => {
  const NOBODY = 65_534

  test('can neither read the token nor ask without it', async () => {
    const asked = await runToEnd(PROGRAM, ['status'], {
      environment: { ...environment(), UPDRAFT_CONTROL: url },
      uid: NOBODY,
    })
    expect(asked).toMatchObject({ code: 8, stderr: expect.stringContaining('the token cannot be read') })
  })
})

const residentBytes = (): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${agent.child.pid}/status`, 'utf8'))?.[1]) * 1_024

/** The head of the answer to a listener, and its connection. */
const listen = async ({ open, lines }: Door): Promise<readonly [head: string, socket: Socket]> => {
  const socket = open()
  const head = await new Promise<string>((resolve) => {
    socket.once('data', (data) => resolve(data.toString('latin1')))
    socket.on('error', () => resolve(''))
    socket.write(`GET /v1/events?after=0 HTTP/1.1\r\n${lines()}\r\n`)
  })
  return [head, socket]
}

/** Those that went are noticed one after the other. */
const roomForOne = async (door: Door): Promise<void> => {
  for (let isRoom = false; !isRoom; ) {
    const [head, socket] = await listen(door)
    isRoom = head.startsWith('HTTP/1.1 200 ')
    socket.destroy()
  }
}
