// The command line of `service`, in a process of its own, as far as it changes nothing on this machine: what it prints, what
// it writes below a root, what it refuses.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { type TemporaryHome, temporaryHome } from '../../support/fake-agent-parts.ts'
import { type Ended, runToEnd } from '../../support/programs.ts'

const PROGRAM = join(import.meta.dirname, '../../support/fake-agent.ts')
const SERVICE = 'etc/systemd/system/updraft-agent.service'

let home: TemporaryHome

beforeEach(() => {
  home = temporaryHome()
})
afterEach(() => home[Symbol.dispose]())

const service = (...args: string[]): Promise<Ended> =>
  runToEnd(PROGRAM, ['service', ...args], { environment: { UPDRAFT_HOME: home.root, HOME: home.root } })

test('--print shows every file, running this very program, and changes nothing', async () => {
  const { code, stdout, stderr } = await service('install', '--print')
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout.match(/^# \/etc\/.+$/gm)).toEqual([
    '# /etc/sysusers.d/updraft.conf',
    '# /etc/tmpfiles.d/updraft.conf',
    '# /etc/systemd/system/updraft-agent.socket',
    `# /${SERVICE}`,
  ])
  expect(stdout).toContain(`\nExecStart=${process.execPath} ${PROGRAM} run\n`)
  expect(readdirSync(home.root)).toEqual([])
})

test('--print --user shows the units of this user, in their own folder', async () => {
  const { stdout } = await service('install', '--print', '--user')
  expect(stdout.match(/^# \/.+$/gm)).toEqual([
    `# ${home.root}/.config/systemd/user/updraft-agent.socket`,
    `# ${home.root}/.config/systemd/user/updraft-agent.service`,
  ])
  expect(stdout).not.toMatch(/^(User|ProtectSystem|StateDirectory)=/m)
})

test('--self-update has the starter run what is installed as the product, with this program behind it', async () => {
  const { stdout } = await service('install', '--print', '--user', '--self-update', 'updraft-agent')
  const words = [
    process.execPath,
    join(PROGRAM, '../updraft-starter.mjs'),
    '--fallback',
    PROGRAM,
    join(home.root, 'products/updraft-agent'),
    '--',
    'run',
  ]
  expect(stdout).toContain(`\nExecStart=${words.join(' ')}\n`)
  expect((await service('install', '--print', '--self-update', 'No Product')).code).toBe(2)
})

test.each([
  ['launchd', '<plist version="1.0">'],
  ['windows', '<service>'],
])('--print --system %s says that nobody has tried it', async (system, contains) => {
  const { code, stdout } = await service('install', '--print', '--system', system)
  expect(code).toBe(0)
  expect(stdout).toContain(contains)
  expect(stdout).toContain('NOT TRIED')
})

test('below a root it is installed, seen, and removed again', async () => {
  const root = join(home.root, 'image')
  expect(await service('install', '--root', root, '--program', '/usr/bin/updraft-agent')).toMatchObject({ code: 0 })
  expect(readFileSync(join(root, SERVICE), 'utf8')).toContain('\nExecStart=/usr/bin/updraft-agent run\n')
  const { code, stdout } = await service('status', '--root', root, '--json')
  expect(code).toBe(0)
  const { files } = JSON.parse(stdout) as { readonly files: readonly { readonly state: string }[] }
  expect(files.map(({ state }) => state)).toEqual(['current', 'current', 'current', 'current'])
  expect((await service('uninstall', '--root', root)).stdout.match(/^removed /gm)).toHaveLength(4)
  expect(existsSync(join(root, SERVICE))).toBe(false)
  expect((await service('uninstall', '--root', root)).stdout).toBe('there is no service to remove\n')
})

const refused: readonly (readonly [name: string, args: readonly string[], says: string])[] = [
  ['another system can only be printed', ['install', '--system', 'launchd'], 'add --print'],
  ['a system that is none', ['install', '--print', '--system', 'beos'], 'Allowed choices are'],
  ['a program without its whole path', ['install', '--print', '--program', 'agent'], 'is not an absolute path'],
]
test.each(refused)('%s is a fault of the command line', async (_, args, says) => {
  const { code, stderr } = await service(...args)
  expect(code).toBe(2)
  expect(stderr).toContain(says)
})
