// The starter as a process, with agents of a few lines: which one it runs, when it goes back, what it tells, and that a kill at
// any step of its own is followed by the same end. With real agents: test/system/self-update.test.ts.
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { PROJECT } from '../../scripts/steps.ts'
import { processesNaming } from '../support/processes.ts'
import { type Program, startCommand } from '../support/programs.ts'

const STARTER = join(PROJECT, 'agent/bin/updraft-starter.mjs')
const PRELOAD = join(PROJECT, 'test/support/kill-at-rename.mjs')

/** What an agent does. Once it has written down that it was started, it can be sent signals. */
const BEHAVIOURS = {
  good: `stay(); started(); process.send({ updraft: 'healthy' }); note()`,
  crashes: `started(); process.exit(3)`,
  hangs: `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); started()`,
  'crashes later': `started(); process.send({ updraft: 'healthy' }, () => process.exit(4))`,
} as const

const agentThat = (version: string, behaviour: keyof typeof BEHAVIOURS): string => `
import { appendFileSync } from 'node:fs'
const greeting = JSON.parse(process.env.UPDRAFT_STARTER)
const left = greeting.left.map(({ version }) => version)
const told = left.length > 0 ? ' told of ' + left : ''
const started = () => appendFileSync(process.env.LOG, '${version} pid ' + process.pid + told + '\\n')
const note = () => process.send({ updraft: 'noted', versions: left })
const stay = () => {
  process.on('disconnect', () => process.exit(0))
  process.on('SIGTERM', () => process.exit(0))
  process.on('SIGUSR2', () => process.exit(10))
  setInterval(() => {}, 1000)
}
${BEHAVIOURS[behaviour]}
`

const programs: Program[] = []
let root: string
let folder: string
let log: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ud-st-'))
  folder = join(root, 'products/updraft-agent')
  log = join(root, 'log')
  mkdirSync(join(folder, 'versions'), { recursive: true })
})
afterEach(async () => {
  for (const program of programs.splice(0)) await program[Symbol.asyncDispose]() // Of a test that has failed.
  expect(processesNaming(root)).toEqual([])
  await rm(root, { recursive: true, force: true })
})

const install = (version: string, behaviour: keyof typeof BEHAVIOURS): void => {
  const tree = join(folder, 'versions', version)
  mkdirSync(tree, { recursive: true })
  writeFileSync(join(tree, 'updraft-agent.mjs'), agentThat(version, behaviour))
  rmSync(join(folder, 'current'), { force: true })
  symlinkSync(`versions/${version}`, join(folder, 'current'))
}
const start = (more: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): Program => {
  const preload = 'KILL_AT' in environment ? ['--import', PRELOAD] : []
  const options = [
    '--starts',
    '2',
    '--health-seconds',
    '60',
    '--proving-seconds',
    '0.1',
    '--pause-seconds',
    '0',
    ...more,
  ]
  const program = startCommand(process.execPath, [...preload, STARTER, ...options, folder, '--', 'run'], {
    environment: { LOG: log, ...environment },
  })
  programs.push(program)
  return program
}
const lines = (): readonly string[] =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : []
const started = (): readonly string[] => lines().map((line) => line.replace(/ pid \d+/, ''))
const record = () => JSON.parse(readFileSync(join(folder, 'starter.json'), 'utf8'))
const until = async (holds: () => boolean): Promise<void> => {
  const deadlineMs = Date.now() + 50_000
  while (!holds()) {
    if (Date.now() > deadlineMs) throw new Error(`not within 50 s; ${started().join(', ')}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const isGood = (version: string) => () =>
  existsSync(join(folder, 'starter.json')) &&
  readFileSync(join(folder, 'starter.json'), 'utf8').includes(`"good":"${version}"`)
const stop = async (starter: Program) => {
  starter.child.kill('SIGTERM')
  return await starter.ended
}
/** 1.0.0 has proved itself; its process. */
const provedOne = async (): Promise<Program> => {
  install('1.0.0', 'good')
  const starter = start()
  await until(isGood('1.0.0'))
  return starter
}
/** The agent that runs says that it is replaced. */
const replace = (): void => {
  process.kill(Number(/pid (\d+)/.exec(lines().at(-1) ?? '')?.[1]), 'SIGUSR2')
}

test('a good version takes over, and then is the one to go back to', async () => {
  const starter = await provedOne()
  install('1.1.0', 'good')
  replace()
  await until(isGood('1.1.0'))
  expect(started()).toEqual(['1.0.0', '1.1.0'])
  expect((await stop(starter)).code).toBe(0)
  expect(record()).toEqual({ format: 1, good: '1.1.0', starts: 0, left: [] })
})

describe('a version that', () => {
  test.each([
    ['crashes', 'it ended with exit code 3, the last of 2 starts'],
    ['hangs', 'it gave no sign of good health within 5 s, the last of 2 starts'],
    ['crashes later', 'it ended with exit code 4 soon after its sign of good health, the last of 2 starts'],
  ] as const)('%s is left after two starts, and the one before is told', async (behaviour, why) => {
    await stop(await provedOne())
    install('1.1.0', behaviour)
    // It cannot prove itself before it crashes; and what hangs has long been started before it is given up.
    const starter = start(['--proving-seconds', '60', ...(behaviour === 'hangs' ? ['--health-seconds', '5'] : [])])
    await until(() => started().length === 4)
    expect(started()).toEqual(['1.0.0', '1.1.0', '1.1.0', '1.0.0 told of 1.1.0'])
    expect(readlinkSync(join(folder, 'current'))).toBe('versions/1.0.0')
    await until(() => record().left.length === 0) // It has written it down.
    const { stderr } = await stop(starter)
    expect(stderr).toContain(
      why.split(',')[0]?.replace('it ', 'the agent 1.1.0 ').replace(' soon after its sign of good health', ''),
    )
    expect(record()).toEqual({ format: 1, good: '1.0.0', starts: 0, left: [] })
  })
})

test('what was left is told until it was written down, with why', async () => {
  install('1.0.0', 'good')
  writeFileSync(
    join(folder, 'starter.json'),
    JSON.stringify({
      format: 1,
      good: '1.0.0',
      starts: 0,
      left: [{ version: '1.1.0', why: 'it crashed', at: 'then' }],
    }),
  )
  const starter = start()
  await until(() => started().includes('1.0.0 told of 1.1.0') && record().left.length === 0)
  await stop(starter)
})

test('without any version the fallback runs; a first version that does not come up ends there again', async () => {
  const fallback = join(root, 'fallback.mjs')
  writeFileSync(fallback, agentThat('fallback', 'good'))
  const starter = start(['--fallback', fallback])
  await until(() => started().length === 1)
  install('1.0.0', 'crashes')
  replace()
  await until(() => started().length === 4)
  expect(started()).toEqual(['fallback', '1.0.0', '1.0.0', 'fallback told of 1.0.0'])
  expect(existsSync(join(folder, 'current'))).toBe(false)
  expect((await stop(starter)).code).toBe(0)
})

test('with nothing to go back to, it ends as its agent did, so that a service manager tries again', async () => {
  install('1.0.0', 'crashes')
  expect((await start().ended).code).toBe(3)
  expect(record()).toMatchObject({ trying: '1.0.0', starts: 1, left: [] })
  rmSync(join(folder, 'current'))
  expect(await start().ended).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing is installed') })
})

test('a version that has proved itself and crashes is left to whoever runs the starter', async () => {
  const starter = await provedOne()
  process.kill(Number(/pid (\d+)/.exec(lines()[0] ?? '')?.[1]), 'SIGKILL')
  expect((await starter.ended).code).toBe(1)
  expect(started()).toEqual(['1.0.0'])
  await stop(
    await (async () => {
      const again = start()
      await until(() => started().length === 2)
      return again
    })(),
  )
})

test('being stopped while a version is tried is not held against it', async () => {
  await stop(await provedOne())
  install('1.1.0', 'hangs')
  const starter = start(['--health-seconds', '60'])
  await until(() => started().includes('1.1.0'))
  expect(record()).toMatchObject({ trying: '1.1.0', starts: 1 })
  starter.child.kill('SIGTERM')
  process.kill(Number(/1\.1\.0 pid (\d+)/.exec(lines().join('\n'))?.[1]), 'SIGKILL') // It does not listen.
  await starter.ended
  expect(record()).toMatchObject({ good: '1.0.0', trying: '1.1.0', starts: 0 })
})

test('a record that is torn, or of another format, is none', async () => {
  install('1.0.0', 'good')
  for (const text of ['{"format":1,"go', '{"format":2,"good":"9.9.9"}', '', 'null']) {
    writeFileSync(join(folder, 'starter.json'), text)
    const before = lines().length
    const starter = start()
    await until(() => lines().length > before)
    await until(isGood('1.0.0'))
    await stop(starter)
  }
})

test('a folder that cannot be written to keeps no agent from running', async () => {
  install('1.0.0', 'good')
  mkdirSync(join(folder, 'starter.json.new')) // So that no record can be written.
  const starter = start()
  await starter.said('cannot write')
  await until(() => started().length === 1)
  await stop(starter)
})

describe('killed at any of its own steps', () => {
  /** Records: 1.1.0 is tried, again, is left; `current` goes back; it is written down that this is known. */
  const steps = [1, 2, 3, 4, 5].flatMap((at) => (['before', 'after'] as const).map((when) => [at, when] as const))

  test.each(steps)('(rename %d, %s), the next start ends with the old version, told once', async (at, when) => {
    await stop(await provedOne())
    install('1.1.0', 'crashes')
    const killed = start([], { KILL_AT: String(at), KILL_WHEN: when })
    await Promise.race([
      killed.ended,
      until(() => record().left.length === 0 && started().at(-1)?.includes('told') === true),
    ])
    killed.child.kill('SIGKILL')
    await killed.ended
    const starter = start()
    await until(() => readlinkSync(join(folder, 'current')) === 'versions/1.0.0')
    await until(() => record().left.length === 0 && started().filter((line) => line.startsWith('1.0.0')).length >= 2)
    await stop(starter)
    expect(started().some((line) => line === '1.0.0 told of 1.1.0')).toBe(true)
    expect(record()).toMatchObject({ good: '1.0.0', left: [] })
  })
})

test.each([
  ['no folder', []],
  ['a count that is none', ['--starts', 'often', '/tmp/x']],
  ['an option that is none', ['--start', '/tmp/x']],
])('with %s it explains itself and ends with 2', async (_, args) => {
  const { code, stderr } = await startCommand(process.execPath, [STARTER, ...args]).ended
  expect(code).toBe(2)
  expect(stderr).toContain('updraft-starter')
})
