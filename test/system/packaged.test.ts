// The programs as they ship, one file each, in an empty folder: they need Node 24 and nothing else.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { packageProgram } from '../../scripts/package.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let publisher: string
let agent: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  publisher = await packageProgram('updraft-publisher', join(directory, 'p'))
  agent = await packageProgram('updraft-agent', join(directory, 'a'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

const run = (file: string, ...args: string[]) =>
  spawnSync(process.execPath, [file, ...args], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: directory, UPDRAFT_HOME: join(directory, 'h') },
  })

describe('the shipped programs', () => {
  test('publish a build, with worker threads and all', async () => {
    const build = await makeSmallBuild(join(directory, 'build'))
    expect(run(publisher, 'init', 'r', '--product', 'acme', '--no-passphrase')).toMatchObject({ status: 0 })
    const { status, stderr } = run(
      publisher,
      'publish',
      build,
      '--repo',
      'r',
      '--product',
      'acme',
      '--version',
      '1.0.0',
    )
    expect({ status, stderr }).toMatchObject({ status: 0 })
  })

  test('the agent says that none is running, and needs nothing beside its file', () => {
    const { status, stdout } = run(agent, 'status')
    expect(status).toBe(9)
    expect(stdout).toContain('updraft-agent run')
  })

  test('both tell their version', () => {
    for (const program of [publisher, agent]) expect(run(program, '--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})
