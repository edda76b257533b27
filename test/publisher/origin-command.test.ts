// `serve` as a process of its own: what it prints, how it ends, with which exit code.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { EXIT_CODES } from '@updraft/core/errors'
import { publishRelease } from './origin-releases.ts'
import { makeRepository } from './origin-support.ts'

const PROGRAM = join(import.meta.dirname, '../../publisher/bin/updraft-publisher.mjs')

let folder: string
let made: Awaited<ReturnType<typeof makeRepository>>
const children = new Set<ChildProcess>()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'origin-command-'))
  made = await makeRepository(folder, new Date())
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

const serve = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) => {
  const flags = ['--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, PROGRAM, 'serve', ...args], {
    env: { ...process.env, NODE_OPTIONS: '', UPDRAFT_PASSPHRASE: undefined, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  const errors = text(child.stderr)
  const exited = once(child, 'close').then(([code]) => {
    children.delete(child)
    return code as number | null
  })
  const lines = createInterface({ input: child.stdout })
  /** Its first line; without one, why it ended. */
  const ready = async (): Promise<string> => {
    const early = exited.then(async (code) => Promise.reject(new Error(`exit code ${code}: ${await errors}`)))
    const [line] = await Promise.race([once(lines, 'line'), early])
    early.catch(() => {})
    return line
  }
  return { child, errors, exited, lines, ready }
}

const LOOPBACK = ['--host', '127.0.0.1', '--port', '0', '--allow-loopback']

describe('a service', () => {
  test.each<[NodeJS.Signals]>([['SIGTERM'], ['SIGINT']])(
    'tells its addresses in its first line, and ends by itself after %s with exit code 0, whoever is still there',
    async (signal) => {
      await publishRelease(made, '1.0.0')
      const { child, errors, exited, ready } = serve([made.directory, ...LOOPBACK, '--json', '--log-json'])
      const told = JSON.parse(await ready())
      const { port } = new URL(told.url)
      expect(told).toMatchObject({
        url: `http://127.0.0.1:${port}/`,
        trackers: ['http', 'udp', 'ws'].map((protocol) => `${protocol}://127.0.0.1:${port}/announce`),
        swarmPort: expect.any(Number),
        fingerprint: expect.stringMatching(/^sha256:/),
        pid: child.pid,
      })
      // One that keeps its connection, one in the middle of a request, one on a WebSocket, one in the swarm.
      expect((await fetch(`${told.url}healthz`)).status).toBe(200)
      const half = connect(Number(port), '127.0.0.1').on('error', () => {})
      half.write('GET /metadata/timestamp.json HT')
      const socket = new WebSocket(told.trackers[2])
      await new Promise((resolve) => socket.addEventListener('open', resolve))
      const peer = connect(told.swarmPort, '127.0.0.1').on('error', () => {})
      await once(peer, 'connect')

      const began = Date.now()
      child.kill(signal)
      expect(await exited).toBe(EXIT_CODES.ok)
      expect(Date.now() - began).toBeLessThan(5_000)
      for (const entry of (await errors).trim().split('\n')) expect(JSON.parse(entry)).toHaveProperty('level')
      half.destroy()
      peer.destroy()
    },
  )

  test('for people it says how a machine follows it', async () => {
    const { child, exited, lines, ready } = serve([made.directory, ...LOOPBACK])
    const printed: string[] = []
    lines.on('line', (line: string) => printed.push(line))
    await ready()
    child.kill('SIGTERM')
    expect(await exited).toBe(EXIT_CODES.ok)
    expect(printed.join('\n')).toMatch(
      /updraft-agent trust add http:\/\/127\.0\.0\.1:\d+\/ --fingerprint sha256:[0-9a-f]{64}$/,
    )
  })
})

describe('what is refused', () => {
  test('a port in use, with its number and a way out', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { errors, exited } = serve([made.directory, '--host', '127.0.0.1', '--port', String(port)])
    expect(await exited).toBe(EXIT_CODES.conflict)
    expect(await errors).toMatch(new RegExp(`port ${port}[^]+hint: .*--port`))
    other.close()
  })

  test.each<[string, readonly string[], number]>([
    ['no repository', ['/nowhere/at/all'], EXIT_CODES.input],
    ['a port that is none', ['r', '--port', '99999'], EXIT_CODES.usage],
    ['a number of releases that is none', ['r', '--seed-releases', '-1'], EXIT_CODES.usage],
    ['an unknown option', ['r', '--nope'], EXIT_CODES.usage],
  ])('%s', async (_, args, code) => {
    const { errors, exited } = serve(args)
    expect(await exited).toBe(code)
    expect(await errors).not.toMatch(/\n\s+at /)
  })

  test('a wrong passphrase, before anything else is promised', async () => {
    const sealed = await makeRepository(join(folder, 'sealed'), new Date(), 'correct horse')
    const { errors, exited, child } = serve([sealed.directory, ...LOOPBACK], { UPDRAFT_PASSPHRASE: 'wrong' })
    expect(await text(child.stdout)).toBe('')
    expect(await exited).toBe(EXIT_CODES.credentials)
    expect(await errors).not.toContain('wrong\n')
  })

  test('a damaged repository', async () => {
    await writeFile(join(made.directory, 'metadata/1.root.json'), '{}')
    const { errors, exited } = serve([made.directory, ...LOOPBACK])
    expect(await exited).toBe(EXIT_CODES.input)
    expect(await errors).toContain('1.root.json')
  })
})
