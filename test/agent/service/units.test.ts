// The units as the real systemd reads them, and the definitions for other systems as a parser of their format does.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { launchdPlist, windowsService } from '@updraft/agent/service/other-systems'
import { type Scope, serviceFiles } from '@updraft/agent/service/systemd-units'
import { describeWith, needsProgram } from '../../support/needs.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'updraft-units-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const ODD = ['/usr/bin/env', '100% $HOME', 'a"b\\c', "it's"]
const filesOf = (scope: Scope, command: readonly string[]) =>
  serviceFiles({ scope, command, userUnitDirectory: '/home/me/.config/systemd/user' })

const write = (scope: Scope, command: readonly string[]): readonly string[] =>
  filesOf(scope, command).map(({ path, text }) => {
    const place = join(root, path)
    mkdirSync(dirname(place), { recursive: true })
    writeFileSync(place, text)
    return place
  })

const run = (program: string, ...args: string[]) =>
  spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, XDG_RUNTIME_DIR: root } })

describeWith([needsProgram('systemd-analyze')], 'systemd', () => {
  test.each<[Scope]>([['system'], ['user']])('has nothing to say against the units of the scope %s', (scope) => {
    const units = write(scope, ['/usr/bin/env', 'updraft-agent', 'run']).filter((path) =>
      /\.(service|socket)$/.test(path),
    )
    expect(units).toHaveLength(2)
    const { status, stdout, stderr } = run('systemd-analyze', 'verify', '--man=no', `--${scope}`, ...units)
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  test('a unit with a directive that is none would be noticed', () => {
    const [unit = ''] = write('system', ['/usr/bin/env']).filter((path) => path.endsWith('.service'))
    writeFileSync(unit, '[Service]\nExecStart=/usr/bin/env\nWatchdogSeconds=1\n')
    expect(run('systemd-analyze', 'verify', '--man=no', unit).stderr).toContain('WatchdogSeconds')
  })

  test('rates the exposure of the machine’s service as low', () => {
    const paths = write('system', ['/usr/bin/env'])
    const unit = paths.find((path) => path.endsWith('.service')) ?? ''
    const { status, stdout } = run('systemd-analyze', 'security', '--offline=true', '--threshold=25', unit)
    expect(stdout).toContain('Overall exposure level')
    expect(status).toBe(0)
  })

  test('makes the user and the folder that are asked for', () => {
    write('system', ['/usr/bin/env'])
    expect(run('systemd-sysusers', '--dry-run', `--root=${root}`, 'updraft.conf').status).toBe(0)
  })
})

test('a command with odd characters is one that systemd reads back as it was', () => {
  const unit = filesOf('system', ODD).find(({ path }) => basename(path) === 'updraft-agent.service')
  expect(/^ExecStart=(.*)$/m.exec(unit?.text ?? '')?.[1]).toBe('/usr/bin/env "100%% $$HOME" "a\\"b\\\\c" "it\'s"')
})

describeWith([needsProgram('python3')], 'definitions for other systems', () => {
  const read = (script: string, text: string): unknown => {
    const { status, stdout, stderr } = spawnSync('python3', ['-c', script], { input: text, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }

  test.each<[Scope]>([['system'], ['user']])('a property list for launchd, of the scope %s', (scope) => {
    const text = launchdPlist({ scope, command: [...ODD, '<&>'] })
    expect(text).toContain('NOT TRIED')
    expect(
      read('import json,plistlib,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))', text),
    ).toMatchObject({
      Label: 'updraft-agent',
      ProgramArguments: [...ODD, '<&>'],
      KeepAlive: true,
    })
  })

  test('a definition for WinSW', () => {
    const text = windowsService({
      scope: 'system',
      command: ['C:\\Program Files\\node.exe', 'C:\\A & B\\agent.mjs', 'run'],
    })
    expect(text).toContain('NOT TRIED')
    const script =
      'import json,sys,xml.etree.ElementTree as e; print(json.dumps({c.tag: c.text for c in e.fromstring(sys.stdin.read())}))'
    expect(read(script, text)).toMatchObject({
      id: 'updraft-agent',
      executable: 'C:\\Program Files\\node.exe',
      arguments: '"C:\\A & B\\agent.mjs" "run"',
    })
  })
})
