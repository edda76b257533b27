// Probes as real processes and real requests: what counts as healthy, what a failure says, and that nothing is left behind,
// however badly a probe behaves.
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { InstalledVersion } from '@updraft/agent/install'
import { type ProbeOptions, probeVersion } from '@updraft/agent/probe'
import { parseSettings } from '@updraft/agent/settings'
import { hasCode, type UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { processesNaming } from '../support/processes.ts'

let home: TemporaryHome
let installed: InstalledVersion

beforeEach(() => {
  home = temporaryHome()
  const path = join(home.root, 'products/acme/current')
  const versionPath = join(home.root, 'products/acme/versions/1.1.0')
  mkdirSync(join(versionPath, 'bin'), { recursive: true })
  symlinkSync('versions/1.1.0', path)
  const name = {
    product: parseProduct('acme'),
    version: parseReleaseVersion('1.1.0'),
    platform: parsePlatform('any'),
  }
  installed = { ...name, path, versionPath } as object as InstalledVersion
})
afterEach(() => {
  expect(carriers()).toEqual([])
  home[Symbol.dispose]()
})

/** Processes that carry the mark of a probe of this home. */
const carriers = () => processesNaming(home.root)

/** A program of the version; `./bin/health` in the settings. */
const program = (script: string): void => {
  const path = join(installed.versionPath, 'bin/health')
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}

const probeOf = (probe: object) =>
  parseSettings(JSON.stringify({ products: { acme: { source: 'main', probe } } }), 'agent.json').products[0]?.probe

const ONCE = { attempts: 1, intervalSeconds: 0, timeoutSeconds: 30 }

const run = (probe: object, options: Partial<ProbeOptions> = {}) =>
  probeVersion(installed, {
    probe: probeOf({ ...ONCE, ...probe }),
    interruptions: 0,
    signal: new AbortController().signal,
    ...options,
  })

/** What a failed probe says. */
const failureOf = async (probe: object, options: Partial<ProbeOptions> = {}): Promise<string> => {
  const error: unknown = await run(probe, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(hasCode(error, 'PROBE_FAILED')).toBe(true)
  expect((error as UpdateError).hint).toContain('updraft-agent retry acme')
  return (error as UpdateError).message
}

const HEALTH = { command: ['bin/health', 'a b', '$HOME'] }

describe('a command', () => {
  test('that ends with 0 is healthy', async () => {
    program('exit 0')
    expect(await run(HEALTH)).toBe(installed)
  })

  test('runs in the version, with its arguments as they are, and a minimal environment', async () => {
    program('pwd > where; echo "$1,$2" >> where; env > environment')
    await run(HEALTH)
    const read = (file: string) => readFileSync(join(installed.versionPath, file), 'utf8').trim().split('\n')
    expect(read('where')).toEqual([installed.versionPath, 'a b,$HOME'])
    const ours = read('environment').filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line))
    expect(ours.sort()).toEqual([
      `HOME=${homedir()}`,
      'LANG=C.UTF-8',
      'PATH=/usr/local/bin:/usr/bin:/bin',
      `UPDRAFT_HOOK=${join(home.root, 'products/acme')}`,
      'UPDRAFT_PRODUCT=acme',
      'UPDRAFT_VERSION=1.1.0',
    ])
  })

  test('may have an absolute path, and is never looked for elsewhere than in the version', async () => {
    await run({ command: ['/bin/true'] })
    expect(await failureOf({ command: ['true'] })).toMatch(
      /^the probe "true" of 1\.1\.0 failed: it could not be started: .*ENOENT/,
    )
  })

  test.each([
    [
      'a non-zero exit',
      'echo starting; echo "no database" >&2; exit 3',
      'ended with exit code 3, and said last: no database',
    ],
    ['a signal', 'kill -SEGV $$', 'was ended by SIGSEGV'],
    ['silence', 'exit 1', 'ended with exit code 1'],
    ['a program that cannot be executed', '', 'could not be started'],
    ['control characters in the output', 'printf "a\\033[31mb\\007\\n"; exit 1', 'said last: a [31mb'],
    ['one endless line', 'head -c 100000 /dev/zero | tr "\\0" x; exit 1', 'said last: x'],
  ])('fails by %s, and says so', async (name, script, says) => {
    program(script)
    if (name.startsWith('a program that')) chmodSync(join(installed.versionPath, 'bin/health'), 0o644)
    const message = await failureOf(HEALTH)
    expect(message).toContain(says)
    expect(message.length).toBeLessThan(400)
  })

  test('that hangs is killed with everything that it started', async () => {
    program('sleep 600 & trap "" TERM; echo waiting; sleep 600')
    // Time enough to come to the point at which it hangs.
    const says = await failureOf({ ...HEALTH, timeoutSeconds: 3 })
    expect(says).toContain('still ran after 3 s and was killed, and said last: waiting')
  })

  test('that floods its output is cut off', async () => {
    program('exec yes "a line that never ends"')
    const began = Date.now()
    const message = await failureOf({ ...HEALTH, timeoutSeconds: 30 })
    expect(message).toContain(`wrote more than ${LIMITS.hookOutputBytes} bytes and was killed`)
    expect(Date.now() - began).toBeLessThan(10_000)
  })

  test.each([
    ['in its group', 'sleep 600 & echo forked'],
    ['in a session of its own, with the output open', 'setsid sleep 600 & echo forked'],
    ['in a session of its own, from a child that has ended', '(setsid sh -c "sleep 600 & sleep 600" &) ; sleep 0.2'],
  ])('that forks %s leaves nothing behind, and its end is what counts', async (_, script) => {
    program(`${script}; exit 0`)
    expect(await run(HEALTH)).toBe(installed)
    expect(carriers()).toEqual([])
  })

  test('that works at the second attempt is healthy', async () => {
    program('test -e tried || { touch tried; exit 1; }')
    await run({ ...HEALTH, attempts: 3 })
    expect(existsSync(join(installed.versionPath, 'tried'))).toBe(true)
  })

  test('is attempted as often as set, and no more', async () => {
    program('echo x >> tried; wc -l < tried; exit 1')
    expect(await failureOf({ ...HEALTH, attempts: 4 })).toContain(
      'failed at each of 4 attempts, at last: it ended with exit code 1, and said last: 4',
    )
  })

  test('is broken off at once when the agent stops', async () => {
    program('touch started; sleep 600')
    const stop = new AbortController()
    const outcome = run({ ...HEALTH, timeoutSeconds: 600 }, { signal: stop.signal })
    while (!existsSync(join(installed.versionPath, 'started'))) await new Promise((resolve) => setTimeout(resolve, 5))
    stop.abort(new Error('stopped'))
    await expect(outcome).rejects.toThrow('stopped')
  })
})

describe('staying up', () => {
  /** Time enough to come to the point at which it waits. */
  const STAY = { stayUp: ['bin/health'], seconds: 3 }

  test('for the whole time is healthy, and then it is asked to end', async () => {
    program('trap "touch ended; exit 0" TERM; sleep 600 & wait')
    await run(STAY)
    expect(existsSync(join(installed.versionPath, 'ended'))).toBe(true)
  })

  test('is not done by a program that ends early, even with 0', async () => {
    program('echo bye')
    expect(await failureOf({ ...STAY, seconds: 30 })).toContain(
      'ended with exit code 0, and said last: bye, before its 30 s were over',
    )
  })

  test('ends with a kill for a program that does not listen', async () => {
    program('trap "" TERM; while :; do sleep 0.1; done')
    await run(STAY)
  }, 20_000)
})

describe('an address', () => {
  let server: Server
  let url: string
  let answer: RequestListener
  let asked = 0

  beforeEach(async () => {
    asked = 0
    server = createServer((request, response) => {
      asked += 1
      answer(request, response)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`
  })
  afterEach(async () => {
    const open = await new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)))
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(open).toBeLessThan(2) // One that has just been hung up may still be on its way.
  })

  test.each([200, 204, 299])('that answers %d is healthy', async (status) => {
    answer = (_, response) => response.writeHead(status).end()
    expect(await run({ http: url })).toBe(installed)
  })

  test.each([301, 404, 500, 503])('that answers %d is not, and a redirect is not followed', async (status) => {
    answer = (_, response) => response.writeHead(status, { location: url }).end('body')
    expect(await failureOf({ http: url })).toBe(`the probe ${url} of 1.1.0 failed: it answered with status ${status}`)
    expect(asked).toBe(1)
  })

  test('that answers with an endless body is healthy: nobody reads it', async () => {
    answer = (_, response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    }
    await run({ http: url })
  })

  test('that never answers is given up', async () => {
    answer = () => {}
    expect(await failureOf({ http: url, timeoutSeconds: 1 })).toContain('gave no answer within 1 s')
  })

  test('that nobody listens on says so; once somebody does, it is healthy', async () => {
    answer = (_, response) => response.writeHead(asked === 1 ? 503 : 200).end()
    expect(await failureOf({ http: 'http://127.0.0.1:1/' })).toContain('could not be asked: connect ECONNREFUSED')
    await run({ http: url, attempts: 2 })
  })
})

test('what an agent that was killed while it probed has left running is ended first', async () => {
  program('touch left; sleep 600')
  const env = { UPDRAFT_HOOK: join(home.root, 'products/acme') }
  spawn(join(installed.versionPath, 'bin/health'), { cwd: installed.versionPath, env, detached: true, stdio: 'ignore' })
  while (!existsSync(join(installed.versionPath, 'left'))) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(carriers()).not.toEqual([])
  await run({ command: ['/bin/true'] })
})

test('without a probe every version counts as healthy', async () => {
  const signal = new AbortController().signal
  expect(await probeVersion(installed, { probe: undefined, interruptions: 99, signal })).toBe(installed)
})

test('after so many agents ended while they probed, it is not tried once more', async () => {
  program('touch ran')
  await run(HEALTH, { interruptions: LIMITS.probeInterruptionsMax - 1 })
  expect(await failureOf({ command: ['bin/other'] }, { interruptions: LIMITS.probeInterruptionsMax })).toBe(
    'the agent ended 3 times while it probed 1.1.0',
  )
})
