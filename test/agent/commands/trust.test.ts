import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { EXIT_CODES } from '@updraft/core/errors'
import { parseReleaseVersion } from '@updraft/core/names'
import type { Context } from '../../../agent/src/commands/context.ts'
import { runProgram } from '../../../agent/src/program.ts'
import { fingerprintOf, readTrustedSources } from '../../../agent/src/trust-store.ts'
import { serveRepository, simulateRepository } from '../../support/repository-simulator.ts'

const repository = simulateRepository()
const rootBytes = repository.rootBytes()
const fingerprint = fingerprintOf(rootBytes)

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'updraft-trust-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

interface Run {
  readonly text: string
  readonly notes: string
  readonly exitCode: number
  /** What was said on standard error of a failure. */
  readonly failure: string
}

/** Runs the agent's command line in this process, with a home of its own. */
const run = async (...args: readonly string[]): Promise<Run> => {
  const printed: string[] = []
  const noted: string[] = []
  let exitCode = 0
  const context: Partial<Context> = {
    environment: { UPDRAFT_HOME: home },
    version: parseReleaseVersion('0.0.0'),
    now: () => new Date('2026-02-03T04:05:06Z'),
    signal: new AbortController().signal,
    print: (text) => printed.push(text),
    note: (text) => noted.push(text),
    setExitCode: (code) => {
      exitCode = code
    },
  }
  let failure = ''
  const { write } = process.stderr
  process.stderr.write = (text) => {
    failure += String(text)
    return true
  }
  try {
    await runProgram(context as Context, ['node', 'updraft-agent', 'trust', ...args])
  } finally {
    process.stderr.write = write
  }
  return { text: printed.join('\n'), notes: noted.join('\n'), exitCode, failure }
}

const rootFile = async () => {
  const path = join(home, 'given.json')
  await writeFile(path, rootBytes)
  return path
}

const trusted = () => readTrustedSources(join(home, 'state'))

describe('a source on this machine', () => {
  const settings = () => readFile(join(home, 'agent.json'), 'utf8').catch(() => '')

  test.each(['http://127.0.0.1:9/r/', 'http://localhost:9/r/', 'http://[::1]:9/r/'])(
    '%s lets bytes come from this machine, and says so',
    async (url) => {
      await writeFile(join(home, 'agent.json'), '{\n  // mine\n  "versionsKept": 3\n}\n')
      const { notes, exitCode } = await run('add', url, '--root', await rootFile())
      expect(exitCode).toBe(0)
      expect(notes).toContain('network.allowLoopback')
      expect(await settings()).toContain('// mine')
      expect(JSON.parse((await settings()).replace('// mine', ''))).toEqual({
        versionsKept: 3,
        network: { allowLoopback: true },
      })
    },
  )

  test('what the owner forbade stays forbidden, and it is said what follows', async () => {
    const forbidden = '{ "network": { "allowLoopback": false } }'
    await writeFile(join(home, 'agent.json'), forbidden)
    const { notes } = await run('add', 'http://127.0.0.1:9/r/', '--root', await rootFile())
    expect(notes).toContain('nothing will be fetched')
    expect(await settings()).toBe(forbidden)
  })

  test('a source elsewhere changes no setting', async () => {
    await run('add', 'https://updates.invalid/r', '--root', await rootFile())
    expect(await settings()).toBe('')
  })
})

describe('trust show', () => {
  test('prints the fingerprint of what a source offers, and trusts nothing', async () => {
    await using served = await serveRepository(repository)
    const { text } = await run('show', served.url)
    expect(text).toContain(fingerprint)
    expect(text).toContain(fingerprint.slice(7, 39).match(/.{4}/g)?.join(' '))
    const { text: json } = await run('show', served.url, '--json')
    expect(JSON.parse(json)).toMatchObject({ fingerprint, version: 1, name: expect.any(String), url: served.url })
    expect(await trusted()).toEqual([])
  })
})

describe('trust add', () => {
  test('--root pins the file without asking the network', async () => {
    const { text, notes } = await run('add', 'https://unreachable.invalid/r', '--root', await rootFile())
    expect(await trusted()).toMatchObject([
      { name: 'unreachable-invalid', urls: ['https://unreachable.invalid/r/'], rootBytes, pin: { pinnedBy: 'file' } },
    ])
    expect(text).toContain(fingerprint)
    expect(notes).toBe('')
  })

  test('--fingerprint fetches the root and pins it if it is the one', async () => {
    await using served = await serveRepository(repository)
    const groups = `SHA256: ${fingerprint.slice(7).match(/.{4}/g)?.join(' ')}`
    await run('add', served.url, '--fingerprint', groups, '--name', 'main')
    expect(await trusted()).toMatchObject([{ name: 'main', rootBytes, pin: { pinnedBy: 'fingerprint', fingerprint } }])
  })

  test('--fingerprint finds a later root', async () => {
    const rotated = repository.fork()
    rotated.publish('root')
    await using served = await serveRepository(rotated)
    await run('add', served.url, '--fingerprint', fingerprintOf(rotated.rootBytes(2)))
    expect(await trusted()).toMatchObject([{ rootBytes: rotated.rootBytes(2) }])
  })

  test('--fingerprint refuses any other root, and says which are there', async () => {
    await using served = await serveRepository(repository)
    expect(await run('add', served.url, '--fingerprint', `sha256:${'0'.repeat(64)}`)).toMatchObject({
      exitCode: EXIT_CODES.untrusted,
      failure: expect.stringContaining(fingerprint),
    })
    expect(await trusted()).toEqual([])
  })

  test('--on-first-use pins what is there, and says that nobody compared it', async () => {
    await using served = await serveRepository(repository)
    const { text, notes } = await run('add', served.url, '--on-first-use')
    expect(await trusted()).toMatchObject([{ rootBytes, pin: { pinnedBy: 'first-use' } }])
    expect(text).toContain('NOT compared')
    expect(text).toContain(fingerprint.slice(7).match(/.{4}/g)?.slice(0, 8).join(' '))
    expect(notes).toContain('--fingerprint')
  })

  test('adding it again with the fingerprint confirms a root that was taken on first use', async () => {
    await using served = await serveRepository(repository)
    await run('add', served.url, '--on-first-use')
    const { notes } = await run('add', served.url, '--fingerprint', fingerprint)
    expect(await trusted()).toMatchObject([{ pin: { pinnedBy: 'fingerprint' } }])
    expect(notes).toBe('')
  })

  test('another root for the same name is a conflict, and the first stays', async () => {
    await using served = await serveRepository(simulateRepository())
    await run('add', served.url, '--root', await rootFile())
    expect(await run('add', served.url, '--on-first-use')).toMatchObject({ exitCode: EXIT_CODES.conflict })
    expect(await trusted()).toMatchObject([{ rootBytes, pin: { pinnedBy: 'file' } }])
  })

  test.each([
    ['no reason', [], 'usage'],
    ['two reasons', ['--on-first-use', '--fingerprint', fingerprint], 'usage'],
    ['half a fingerprint', ['--fingerprint', fingerprint.slice(0, 40)], 'usage'],
    ['a file that is not there', ['--root', '/nowhere/root.json'], 'usage'],
    ['a file that is no root', ['--root', import.meta.filename], 'untrusted'],
    ['nobody there', ['--on-first-use'], 'unreachable'],
    ['an option that there is not', ['--on-second-use'], 'usage'],
  ] as const)('refuses %s', async (_, options, exit) => {
    const { exitCode, failure } = await run('add', 'http://127.0.0.1:9/', ...options)
    expect(exitCode).toBe(EXIT_CODES[exit])
    expect(failure).not.toContain('defect')
    expect(await trusted()).toEqual([])
  })

  test('refuses a name that is none', async () => {
    const { exitCode } = await run('add', 'http://a.test/', '--root', await rootFile(), '--name', '../x')
    expect(exitCode).toBe(EXIT_CODES.usage)
    expect(await trusted()).toEqual([])
  })

  test('a server without a repository is not one', async () => {
    const empty = simulateRepository()
    empty.files.clear()
    await using served = await serveRepository(empty)
    for (const reason of [['--on-first-use'], ['--fingerprint', fingerprint]]) {
      expect(await run('add', served.url, ...reason)).toMatchObject({ exitCode: EXIT_CODES.unreachable })
    }
  })

  test('a root that breaks our policy is not pinned, whoever trusts it', async () => {
    const weak = simulateRepository()
    Object.assign(weak.signed.root ?? {}, { consistent_snapshot: false })
    weak.republish('root')
    await using served = await serveRepository(weak)
    for (const reason of [['--on-first-use'], ['--fingerprint', fingerprintOf(weak.rootBytes())]]) {
      const { exitCode, failure } = await run('add', served.url, ...reason)
      expect(exitCode).toBe(EXIT_CODES.untrusted)
      expect(failure).toContain('consistent_snapshot')
    }
    expect(await trusted()).toEqual([])
  })
})

describe('trust list', () => {
  test('shows addresses, reasons and fingerprints', async () => {
    expect((await run('list')).text).toContain('no source is trusted yet')
    await run('add', 'https://a.test/', '--root', await rootFile(), '--name', 'main')
    await run('add', 'https://b.test/', '--root', await rootFile(), '--name', 'main')
    const { text } = await run('list')
    for (const part of ['main', 'https://a.test/', 'mirror', 'https://b.test/', fingerprint, '2026-02-03']) {
      expect(text).toContain(part)
    }
  })

  test('--json is one object for programs', async () => {
    await run('add', 'https://a.test/', '--root', await rootFile(), '--name', 'main')
    expect(JSON.parse((await run('list', '--json')).text)).toEqual({
      sources: [
        { name: 'main', urls: ['https://a.test/'], pinnedBy: 'file', fingerprint, addedAt: '2026-02-03T04:05:06.000Z' },
      ],
    })
  })
})

test('trust remove forgets the source; an unknown one is an error', async () => {
  await run('add', 'https://a.test/', '--root', await rootFile(), '--name', 'main')
  await run('remove', 'main')
  expect(await trusted()).toEqual([])
  expect(await run('remove', 'main')).toMatchObject({ exitCode: EXIT_CODES.untrusted })
  expect(await readFile(join(home, 'given.json'))).toEqual(rootBytes)
})
