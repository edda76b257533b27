// `npm start -- --once`, as a person runs it: the whole path, the update, B from A alone, and nothing left running.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { PROJECT } from '../../scripts/steps.ts'
import { processesNaming } from '../support/processes.ts'

describe('npm start -- --once', () => {
  let directory: string
  let exitCode: number | null
  let output = ''

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ud-'))
    const child = spawn(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      join(PROJECT, 'scripts/demo.ts'),
      '--once',
      '--data',
      join(directory, 'd'),
    ])
    const collect = (data: Buffer) => {
      output += data
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    ;[exitCode] = (await once(child, 'close')) as [number | null]
  }, 180_000)

  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('exits 0', () => {
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 })
  })

  test('prints a table with both versions on both agents, where the bytes came from, and who signed', () => {
    expect(output).toMatch(/^agent +version +from peers +from origin +reused +seconds +signed by$/m)
    for (const agent of ['a', 'b']) {
      for (const version of ['1\\.0\\.0', '1\\.1\\.0'])
        expect(output).toMatch(new RegExp(`^${agent} +${version} .+`, 'm'))
    }
  })

  test('agent B had nothing from the origin', () => {
    expect(output).toMatch(/^b +1\.0\.0 +[\d.]+ [KM]iB +0 B /m)
  })

  test('the update reused most of the bundle', () => {
    const reused = /^b +1\.1\.0 .* ([\d.]+) (KiB|MiB) +[\d.]+ +\S/m.exec(output)
    expect(reused?.[2]).toBe('KiB')
  })

  test('shows progress in plain lines where there is no terminal', () => {
    expect(output).toMatch(/^agent a 1\.0\.0 \d+% [\d.]+ \w+ of [\d.]+ \w+$/m)
  })

  test('leaves no process behind', () => {
    expect(processesNaming(directory)).toEqual([])
  })
})
