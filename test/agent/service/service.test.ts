// Installing and removing the service: what is written, what is run, and what is left alone. systemd itself is told to a
// fake, so that this runs on every machine; the units are judged by the real one in units.test.ts.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  installService,
  type Ran,
  type ServiceHost,
  type ServiceOptions,
  stateOfService,
  uninstallService,
} from '@updraft/agent/service'

const SYSTEM_FILES = [
  'etc/systemd/system/updraft-agent.service',
  'etc/systemd/system/updraft-agent.socket',
  'etc/sysusers.d/updraft.conf',
  'etc/tmpfiles.d/updraft.conf',
]
const UNIT = 'etc/systemd/system/updraft-agent.service'

let root: string
let ran: string[]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'updraft-service-'))
  ran = []
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const host = (change: Partial<ServiceHost> = {}, answer: (line: string) => Partial<Ran> = () => ({})): ServiceHost => ({
  uid: 0,
  root,
  hasSystemd: true,
  run: async (program, args) => {
    const line = [program, ...args].join(' ')
    ran.push(line)
    return { code: 0, stdout: '', stderr: '', ...answer(line) }
  },
  ...change,
})

const options = (change: Partial<ServiceOptions> = {}): ServiceOptions => ({
  host: host(),
  scope: 'system',
  command: ['/usr/bin/env', 'updraft-agent', 'run'],
  userUnitDirectory: '/home/me/.config/systemd/user',
  root: undefined,
  replace: false,
  ...change,
})

const files = (): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(root, join(parentPath, name)))
    .sort()
const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

describe('install', () => {
  test('writes the files, makes the user, enables and starts', async () => {
    expect(await installService(options())).toMatchObject({ unchanged: [], started: true })
    expect(files()).toEqual(SYSTEM_FILES)
    expect(ran).toEqual([
      'systemd-sysusers updraft.conf',
      'systemd-tmpfiles --create updraft.conf',
      'systemctl daemon-reload',
      'systemctl enable updraft-agent.socket updraft-agent.service',
      'systemctl start updraft-agent.socket',
      'systemctl restart updraft-agent.service',
    ])
  })

  test('a second time changes nothing and does not restart', async () => {
    await installService(options())
    ran = []
    expect(await installService(options())).toMatchObject({ written: [], started: true })
    expect(ran.at(-1)).toBe('systemctl start updraft-agent.service')
  })

  test('of another program takes that over and restarts', async () => {
    await installService(options())
    expect((await installService(options({ command: ['/usr/bin/true'] }))).written).toEqual([join(root, UNIT)])
    expect(readFileSync(join(root, UNIT), 'utf8')).toContain('\nExecStart=/usr/bin/true\n')
    expect(ran.at(-1)).toBe('systemctl restart updraft-agent.service')
  })

  test('for a user needs no root and touches nothing of the system', async () => {
    await installService(options({ scope: 'user', host: host({ uid: 1_000 }) }))
    expect(files()).toEqual([
      'home/me/.config/systemd/user/updraft-agent.service',
      'home/me/.config/systemd/user/updraft-agent.socket',
    ])
    expect(ran.every((line) => line.startsWith('systemctl --user '))).toBe(true)
  })

  test('below a root writes and starts nothing, without systemd and without being root', async () => {
    const elsewhere = join(root, 'package')
    const foreign = host({ uid: 1_000, hasSystemd: false })
    expect(await installService(options({ host: foreign, root: elsewhere }))).toMatchObject({ started: false })
    expect(files()).toEqual(SYSTEM_FILES.map((path) => `package/${path}`))
    expect(ran).toEqual([])
  })
})

describe('install is refused, and nothing is written or run,', () => {
  const cases: readonly (readonly [name: string, change: () => Partial<ServiceOptions>, expected: object])[] = [
    ['without systemd', () => ({ host: host({ hasSystemd: false }) }), { code: 'SERVICE_FAILED' }],
    ['to those who are not root', () => ({ host: host({ uid: 1_000 }) }), { code: 'PERMISSION' }],
    ...['home', 'root', 'run/user'].map((folder): (typeof cases)[number] => [
      `of a program in a home below ${folder}`,
      () => ({ command: [`/${folder}/alice/node`] }),
      { code: 'PERMISSION', message: expect.stringContaining(`because /${folder} is closed to it`) },
    ]),
    [
      'of a program in a folder that is closed to others',
      () => {
        chmodSync(root, 0o700)
        return { command: [join(root, 'agent')] }
      },
      { code: 'PERMISSION', message: expect.stringMatching(/because \S+\/updraft-service-\w+ is closed to it/) },
    ],
    [
      'of a program that is not there',
      () => ({ command: ['/usr/bin/ghost-agent'] }),
      { code: 'IO', message: expect.stringContaining('/usr/bin/ghost-agent') },
    ],
  ]
  test.each(cases)('%s', async (_, change, expected) => {
    await expect(installService(options(change()))).rejects.toMatchObject(expected)
    expect([files(), ran]).toEqual([[], []])
  })

  test('over a unit that somebody else wrote; --replace goes ahead', async () => {
    put(UNIT, '[Service]\nExecStart=/mine\n')
    await expect(installService(options())).rejects.toMatchObject({ code: 'SERVICE_CONFLICT' })
    expect(files()).toEqual([UNIT])
    expect(readFileSync(join(root, UNIT), 'utf8')).toBe('[Service]\nExecStart=/mine\n')
    await installService(options({ replace: true }))
    expect(readFileSync(join(root, UNIT), 'utf8')).toContain('Type=notify')
  })

  test('by systemd, whose words are passed on', async () => {
    const refusing = host({}, (line) => (line.includes('enable') ? { code: 1, stderr: 'Unit is masked.\n' } : {}))
    await expect(installService(options({ host: refusing }))).rejects.toMatchObject({
      code: 'SERVICE_FAILED',
      message: expect.stringContaining('ended with 1: Unit is masked.'),
      hint: expect.stringContaining('journalctl -u updraft-agent.service'),
    })
  })
})

describe('uninstall', () => {
  test('stops, removes what install wrote, and nothing else', async () => {
    await installService(options())
    const others = [
      'etc/systemd/system/updraft-agent.service.d/mine.conf',
      'etc/updraft/agent.json',
      'var/lib/updraft/x',
    ]
    for (const path of others) put(path, 'mine')
    ran = []
    expect(await uninstallService(options())).toHaveLength(4)
    expect(files()).toEqual(others)
    expect(ran).toEqual([
      'systemctl disable --now updraft-agent.socket updraft-agent.service',
      'systemctl daemon-reload',
    ])
    expect(await uninstallService(options())).toEqual([])
  })

  test('leaves a unit of somebody else alone', async () => {
    put(UNIT, '[Service]\n')
    await expect(uninstallService(options())).rejects.toMatchObject({ code: 'SERVICE_CONFLICT' })
    expect([existsSync(join(root, UNIT)), ran]).toEqual([true, []])
  })
})

describe('status', () => {
  test('says which files are there, and what systemd says', async () => {
    await installService(options({ command: ['/usr/bin/true'] })) // Which program it is, is the owner's choice.
    put('etc/tmpfiles.d/updraft.conf', '# Written by `updraft-agent service install`.\n# long ago\n')
    put('etc/sysusers.d/updraft.conf', '# mine\n')
    rmSync(join(root, 'etc/systemd/system/updraft-agent.socket'))
    const answering = host({}, () => ({ stdout: 'ActiveState=active\nStatusText=1 product; a=b\nMainPID=7\n' }))
    const { files: found, unit } = await stateOfService(options({ host: answering }))
    expect(found.map(({ state }) => state)).toEqual(['foreign', 'other', 'absent', 'current'])
    expect(unit).toMatchObject({ ActiveState: 'active', StatusText: '1 product; a=b', MainPID: '7', Result: '' })
  })

  test('without systemd knows only the files', async () => {
    expect(await stateOfService(options({ host: host({ hasSystemd: false }) }))).toMatchObject({ unit: undefined })
    expect(ran).toEqual([])
  })
})
