// The agent that ships with the extension: which Node runs it, and what it is told of VS Code. Real processes.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { findNode, runAgentCommand, startAgent } from '../../extension/src/agent-program.ts'

let folder: string
let options: Parameters<typeof findNode>[0]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'updraft-program-'))
  const file = join(folder, 'agent.mjs')
  writeFileSync(
    file,
    `const [command, ...args] = process.argv.slice(2)
if (command === 'run') process.exit(7)
const seen = Object.keys(process.env).filter((name) => /^(VSCODE_|ELECTRON_|NODE_OPTIONS)/.test(name))
process.stdout.write(JSON.stringify({ command, args, seen }))`,
  )
  options = { file, nodePath: '', environment: { PATH: dirname(process.execPath) } }
})

afterAll(() => rmSync(folder, { recursive: true }))

const pretender = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, 0o755)
  return path
}

describe('the Node that runs the agent', () => {
  test('is the own runtime, if that is new enough', async () => {
    expect(await findNode({ ...options, ownRuntime: process.execPath })).toBe(process.execPath)
  })

  test('is one on the PATH, if the own runtime is too old, or no Node at all', async () => {
    const old = pretender('old', '#!/bin/sh\nexit 3\n')
    expect(dirname(await findNode({ ...options, ownRuntime: old }))).toBe(dirname(process.execPath))
    expect(dirname(await findNode({ ...options, ownRuntime: join(folder, 'absent') }))).toBe(dirname(process.execPath))
  })

  test('is that of the setting and no other', async () => {
    const old = pretender('set', '#!/bin/sh\nexit 3\n')
    await expect(findNode({ ...options, nodePath: old })).rejects.toMatchObject({ code: 'USAGE' })
    await expect(findNode({ ...options, nodePath: 'node' })).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('the agent', () => {
  test('gets its arguments as they are, and nothing of VS Code', async () => {
    const environment = { ...options.environment, VSCODE_IPC: '1', ELECTRON_X: '1', NODE_OPTIONS: '--no-warnings' }
    const { exitCode, stdout } = await runAgentCommand({ ...options, environment }, ['trust', '; rm -rf $HOME "x'])
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      command: 'trust',
      args: ['; rm -rf $HOME "x'],
      seen: ['ELECTRON_RUN_AS_NODE'],
    })
  })

  test('that ends at once is told, with its log', async () => {
    const logFile = join(folder, 'agent.log')
    const starting = startAgent(options, { logFile, isReady: async () => false })
    await expect(starting).rejects.toMatchObject({ code: 'IO', hint: `see ${logFile}` })
  })
})
