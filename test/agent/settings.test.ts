// The settings file: what it may say, what it gets told when it says something else, and how it is edited.
import { readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { parseSettings, readSettings, settingsPathOf } from '@updraft/agent/settings'
import { editProduct } from '@updraft/agent/settings/edit'
import { liveSettings } from '@updraft/agent/settings/live'
import { watchSettings } from '@updraft/agent/settings/watch'
import type { Problem } from '@updraft/core/control/api'
import { LIMITS } from '@updraft/core/limits'
import { parseChannel, parseProduct, platformOfThisMachine } from '@updraft/core/names'
import { temporaryHome } from '../support/fake-agent-parts.ts'

const ACME = parseProduct('acme')

const messageOfRefusal = (text: string): string => {
  try {
    parseSettings(text, 'agent.json')
    return 'not refused'
  } catch (error) {
    expect(error).toMatchObject({ code: 'SETTINGS_INVALID', hint: expect.any(String) })
    return (error as Error).message
  }
}

describe('what settings mean', () => {
  test('a missing file is all defaults', async () => {
    using home = temporaryHome()
    expect(await readSettings(home.configDirectory)).toEqual({
      products: [],
      checkIntervalSeconds: 3_600,
      network: {
        port: 0,
        stallTimeoutSeconds: 120,
        allowLoopback: false,
        dht: false,
        localDiscovery: false,
        peerMetadata: true,
        lan: [],
        webSeedDelaySeconds: 1,
        webRtc: false,
        stunServers: [],
        manners: { limits: {}, schedule: [], sharingOnMetered: 'pause', yields: true },
        peers: [],
      },
      metered: 'auto',
      importOnly: false,
      control: { socketGroup: undefined, loopback: undefined },
      versionsKept: 2,
    })
  })

  test('comments and trailing commas are fine', () => {
    const { products, checkIntervalSeconds } = parseSettings(
      `{ // who
        "products": { "acme": { "source": "main", /* what */ "channel": "beta", }, },
        "checkIntervalSeconds": 60,
      }`,
      'agent.json',
    )
    expect(checkIntervalSeconds).toBe(60)
    expect(products).toEqual([
      {
        name: 'acme',
        source: 'main',
        install: { kind: 'directory' },
        channel: 'beta',
        platform: platformOfThisMachine(),
        versionRange: undefined,
        mode: 'install',
        windows: [],
        minimumAgeHours: 0,
        minimumAgeFrom: 'this-machine',
        approval: 'automatic',
        onBattery: 'install',
        onMetered: 'install',
        verification: 'strict',
        authorities: [],
        maximumLoad: undefined,
      },
    ])
  })

  const windowsOf = (...windows: object[]) =>
    parseSettings(JSON.stringify({ products: { acme: { source: 'main', windows } } }), 'agent.json').products[0]
      ?.windows
  test.each<[object, object]>([
    [
      { from: '22:00', to: '06:00' },
      { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 1_320, lengthMinutes: 480, text: 'mon-sun 22:00-06:00' },
    ],
    [
      { days: 'sat,sun', from: '00:00', to: '24:00' },
      { days: [5, 6], fromMinute: 0, lengthMinutes: 1_440 },
    ],
    [
      { days: 'fri-mon', from: '09:30', to: '10:00' },
      { days: [0, 4, 5, 6], fromMinute: 570, lengthMinutes: 30 },
    ],
    [
      { days: 'Mon, wed-thu', from: '24:00', to: '01:00' },
      { days: [0, 2, 3], fromMinute: 0, lengthMinutes: 60 },
    ],
  ])('a window is a stretch of the week: %j', (written, window) => {
    expect(windowsOf(written)).toMatchObject([window])
  })

  test('peers may have names, IPv4 and IPv6 addresses', () => {
    const peers = ['192.0.2.7:6881', 'peer.example.com:1', '[2001:db8::7]:65535']
    expect(parseSettings(JSON.stringify({ network: { peers } }), 'agent.json').network.peers).toEqual(peers)
  })
})

describe('the way to install', () => {
  const kindOf = (install: object) =>
    parseSettings(JSON.stringify({ products: { acme: { source: 'main', install } } }), 'agent.json').products[0]
      ?.install

  test.each([
    [{ kind: 'directory' }, { kind: 'directory' }],
    [
      { kind: 'file', path: '/usr/local/bin/acme', from: 'bin/acme' },
      { kind: 'file', path: '/usr/local/bin/acme', from: 'bin/acme' },
    ],
    [
      { kind: 'command', command: ['bin/setup', '--all'], undo: ['/sbin/undo'] },
      { kind: 'command', command: ['bin/setup', '--all'], undo: ['/sbin/undo'], timeoutSeconds: 300 },
    ],
    [
      { kind: 'vsix', cli: ['/usr/bin/code'] },
      { kind: 'vsix', cli: ['/usr/bin/code'], timeoutSeconds: 300 },
    ],
  ])('%j', (written, meant) => {
    expect(kindOf(written)).toEqual(meant)
  })

  test('is the folder without a word', () => {
    expect(parseSettings('{"products": {"acme": {"source": "main"}}}', '').products[0]?.install.kind).toBe('directory')
  })

  test.each([
    ['an unknown kind', { kind: 'dmg' }, 'install.kind: name one of the kinds directory, file, command, vsix'],
    ['no kind', {}, 'name one of the kinds directory, file, command, vsix'],
    ['a key of another kind', { kind: 'directory', path: '/a' }, 'install.path is not a setting'],
    ['no place', { kind: 'file' }, 'install.path: is missing'],
    ['a place that is relative', { kind: 'file', path: 'bin/acme' }, '"bin/acme" is not an absolute path'],
    ['a place that climbs', { kind: 'file', path: '/usr/../etc/x' }, '"/usr/../etc/x" is not an absolute path'],
    ['a file outside', { kind: 'file', path: '/a', from: '../acme' }, '"../acme" is no path below the release'],
    [
      'an absolute file',
      { kind: 'file', path: '/a', from: '/etc/passwd' },
      '"/etc/passwd" is no path below the release',
    ],
    ['no digest', { kind: 'file', path: '/a', replaces: 'yes' }, 'install.replaces: is no SHA-256'],
    ['a shell line', { kind: 'command', command: 'setup --all' }, 'install.command: expected tuple'],
    [
      'an undo that is part of what is left',
      { kind: 'command', command: ['a'], undo: ['a'] },
      'install.undo.0: "a" is not an absolute path',
    ],
    ['no time', { kind: 'command', command: ['a'], timeoutSeconds: 0 }, 'install.timeoutSeconds: too small'],
    ['a command line without a path', { kind: 'vsix', cli: ['code'] }, 'install.cli.0: "code" is not an absolute path'],
  ])('of %s is refused, with its line', (_, install, message) => {
    const text = JSON.stringify({ products: { acme: { source: 'main', install } } }, undefined, 1)
    expect(messageOfRefusal(text)).toMatch(/agent\.json:\d+:\d+/)
    expect(messageOfRefusal(text)).toContain(message)
  })

  test('of one place for two products is refused', () => {
    const install = { kind: 'file', path: '/usr/local/bin/acme' }
    const products = { acme: { source: 'main', install }, other: { source: 'main', install } }
    expect(messageOfRefusal(JSON.stringify({ products }))).toContain('the place /usr/local/bin/acme is that of acme')
  })
})

describe('a probe', () => {
  const probeOf = (probe: object) =>
    parseSettings(JSON.stringify({ products: { acme: { source: 'main', probe } } }), 'agent.json').products[0]?.probe
  const TIMES = { attempts: 3, timeoutSeconds: 30, intervalSeconds: 5 }

  test.each([
    [{ command: ['bin/acme', '--self-test', ''] }, { kind: 'command', command: ['bin/acme', '--self-test', ''], ...TIMES }],
    [{ http: 'http://127.0.0.1:8080/health', attempts: 1 }, { kind: 'http', url: 'http://127.0.0.1:8080/health', ...TIMES, attempts: 1 }],
    [{ stayUp: ['/bin/acme'], seconds: 10 }, { kind: 'stay-up', command: ['/bin/acme'], seconds: 10, ...TIMES }],
  ])('%j', (written, meant) => {
    expect(probeOf(written)).toEqual(meant)
  }) // biome-ignore format: one case per line

  test.each([
    ['nothing', {}, 'probe: name one of command, http, stayUp'],
    ['two things', { command: ['a'], http: 'http://a/' }, 'probe: name one of command, http, stayUp'],
    ['an empty command', { command: [] }, 'probe.command'],
    ['an empty program', { command: [''] }, 'probe.command.0'],
    ['a shell line', { command: 'bin/acme --self-test' }, 'probe.command: expected tuple, received string'],
    ['staying up for ever', { stayUp: ['a'] }, 'probe.seconds: is missing'],
    ['seconds of a command', { command: ['a'], seconds: 3 }, 'probe.seconds: belongs to stayUp'],
    ['an address of something else', { http: 'file:///etc/passwd' }, 'probe "file:///etc/passwd" is not an address'],
    ['an address with a password', { http: 'http://a:b@c/' }, 'is not an address'],
    ['no attempt', { command: ['a'], attempts: 0 }, 'probe.attempts: too small'],
    ['an unknown key', { command: ['a'], shell: true }, 'probe.shell is not a setting'],
  ])('of %s is refused', (_, probe, message) => {
    expect(messageOfRefusal(JSON.stringify({ products: { acme: { source: 'main', probe } } }))).toContain(message)
  })
})

describe('what bad settings get: the place and the fault', () => {
  const cases: readonly (readonly [name: string, text: string, message: string])[] = [
    ['an unknown key', '{\n  "chanel": 1\n}', 'agent.json:2:3: chanel is not a setting'],
    ['an unknown key inside', '{"network": {\n "dth": true}}', 'agent.json:2:2: network.dth is not a setting'],
    ['a missing comma', '{\n "a": 1\n "b": 2}', 'agent.json:3:2: comma expected'],
    ['half a file', '{ "products": {', 'agent.json:1:16: close brace expected'],
    ['no object', '[]', 'agent.json:1:1: expected object, received array'],
    ['a product without a source', '{"products": {"acme":\n{}}}', 'agent.json:2:1: products.acme.source: is missing'],
    ['a key that stands twice', '{"versionsKept": 1, "versionsKept": 2}', 'agent.json:1:21: versionsKept stands twice'],
    ['a key that JavaScript treats specially', '{"products": {"__proto__": {"source": "main"}}}', 'agent.json:1:15: __proto__ is not a setting'],
    ['a name of a TUF role', '{"products": {"root": {"source": "main"}}}', 'agent.json:1:15: products.root: product name "root" is not allowed'],
    ['a channel that breaks the grammar', '{"products": {"acme": {"source": "main", "channel": "Beta"}}}', 'agent.json:1:53: products.acme.channel: channel "Beta" is not allowed'],
    ['a version range that is none', '{"products": {"acme": {"source": "main", "versionRange": "newest"}}}', 'agent.json:1:58: products.acme.versionRange: version range "newest" is not a semver range'],
    ['a window on no day', '{"products": {"acme": {"source": "main", "windows": [\n{"days": "mondays", "from": "22:00", "to": "06:00"}]}}}', 'agent.json:2:1: products.acme.windows.0: days "mondays" are not days of the week'],
    ['a window from no time', '{"products": {"acme": {"source": "main", "windows": [\n{"from": "25:00", "to": "06:00"}]}}}', 'agent.json:2:1: products.acme.windows.0: time "25:00" is not a time of day'],
    ['a window without a length', '{"products": {"acme": {"source": "main", "windows": [\n{"from": "06:00", "to": "06:00"}]}}}', 'agent.json:2:1: products.acme.windows.0: the window 06:00 to 06:00 has no length'],
    ['a window without an end', '{"products": {"acme": {"source": "main", "windows": [\n{"from": "06:00"}]}}}', 'products.acme.windows.0.to: is missing'],
    ['half an hour of age', '{"products": {"acme": {"source": "main", "minimumAgeHours": 0.5}}}', 'products.acme.minimumAgeHours: expected int'],
    ['a probe outside of the version', '{"products": {"acme": {"source": "main", "probe": {"command":\n["../../other/current/bin/x"]}}}}', 'agent.json:2:2: products.acme.probe.command.0: "../../other/current/bin/x" is outside of the installed version'],
    ['a probe that goes out and comes in', '{"products": {"acme": {"source": "main", "probe": {"stayUp": ["bin/../../x"], "seconds": 1}}}}', 'products.acme.probe.stayUp.0: "bin/../../x" is outside'],
    ['a program for metered without its folder', '{"metered": {"command": ["is-metered"]}}', 'metered'],
    ['metered as it likes', '{"metered": "sometimes"}', 'agent.json:1:13: metered: '],
    ['an approval that is none', '{"products": {"acme": {"source": "main", "approval": "maybe"}}}', 'products.acme.approval: '],
    ['a port that is none', '{"network": {"port": 65536}}', 'agent.json:1:22: network.port: too big'],
    ['a peer without a port', '{"network": {"peers": ["192.0.2.7"]}}', 'agent.json:1:24: network.peers.0: peer "192.0.2.7" is not an address'],
    ['a peer with port 0', '{"network": {"peers": ["192.0.2.7:0"]}}', 'agent.json:1:24: network.peers.0: peer "192.0.2.7:0" is not an address'],
    ['an interval of nothing', '{"checkIntervalSeconds": 0}', 'agent.json:1:26: checkIntervalSeconds: too small'],
    ['a mode that does not exist', '{"products": {"acme": {"source": "main", "mode": "notify"}}}', 'agent.json:1:50: products.acme.mode: expected "install"'],
  ] // biome-ignore format: one case per line

  test.each(cases)('%s', (_, text, message) => {
    expect(messageOfRefusal(text)).toContain(message)
  })

  test('every fault at once, in the order of the file', () => {
    const message = messageOfRefusal('{\n"versionsKept": 0,\n"a": 1,\n"network": {"port": -1}\n}')
    expect(message.split('; ').map((fault) => fault.split(': ')[0])).toEqual([
      'agent.json:2:17',
      'agent.json:3:1',
      'agent.json:4:21',
    ])
  })

  test('a file that is too large is not read', async () => {
    using home = temporaryHome()
    writeFileSync(settingsPathOf(home.configDirectory), ' '.repeat(LIMITS.settingsLengthBytes + 1))
    await expect(readSettings(home.configDirectory)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })
})

describe('editing', () => {
  test('keeps comments and layout, and changes only what was asked', async () => {
    using home = temporaryHome()
    const path = settingsPathOf(home.configDirectory)
    writeFileSync(
      path,
      '{\n  // my machine\n  "versionsKept": 3, // three\n  "products": {\n    "other": { "source": "main" } // mine\n  }\n}\n',
    )
    const settings = await editProduct(home.configDirectory, {
      name: ACME,
      source: 'main',
      channel: parseChannel('beta'),
    })
    expect(settings.products.map(({ name, channel }) => [name, channel])).toEqual([
      ['other', 'stable'],
      ['acme', 'beta'],
    ])
    const text = readFileSync(path, 'utf8')
    for (const comment of ['// my machine', '// three', '// mine']) expect(text).toContain(comment)
    expect(await readSettings(home.configDirectory)).toEqual(settings)
  })

  test('makes the file if there is none', async () => {
    using home = temporaryHome()
    const configDirectory = join(home.root, 'a', 'b')
    await editProduct(configDirectory, { name: ACME, source: 'main' })
    expect(readFileSync(settingsPathOf(configDirectory), 'utf8')).toBe(
      '{\n  "products": {\n    "acme": {\n      "source": "main"\n    }\n  }\n}\n',
    )
  })

  test('that changes nothing leaves the file alone', async () => {
    using home = temporaryHome()
    const path = settingsPathOf(home.configDirectory)
    writeFileSync(path, '{"products":{"acme":{"source":"main"}}}')
    await editProduct(home.configDirectory, { name: ACME })
    expect(readFileSync(path, 'utf8')).toBe('{"products":{"acme":{"source":"main"}}}')
  })

  test.each([
    ['a file that is invalid already', '{ "chanel": 1 }', { name: ACME, source: 'main' }],
    ['a new product without a source', '{}', { name: ACME, channel: parseChannel('beta') }],
  ])('refuses %s, and leaves it as it was', async (_, before, edit) => {
    using home = temporaryHome()
    const path = settingsPathOf(home.configDirectory)
    writeFileSync(path, before)
    await expect(editProduct(home.configDirectory, edit)).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
    expect(readFileSync(path, 'utf8')).toBe(before)
  })
})

describe('settings of a running agent', () => {
  test('a bad file is refused once, the old settings stay, and a good one is taken over', async () => {
    using home = temporaryHome()
    const path = settingsPathOf(home.configDirectory)
    const applied: number[] = []
    const reloads: (Problem | undefined)[] = []
    const settings = liveSettings({
      configDirectory: home.configDirectory,
      initial: await readSettings(home.configDirectory),
      apply: async ({ versionsKept }) => void applied.push(versionsKept),
      onReload: (problem) => reloads.push(problem),
    })
    await settings.reload()
    expect(reloads).toEqual([])

    writeFileSync(path, '{ "versionsKept": "many" }')
    await settings.reload()
    await settings.reload()
    expect(reloads).toMatchObject([{ code: 'SETTINGS_INVALID', detail: expect.stringContaining('agent.json:1:19') }])
    expect(settings.current().versionsKept).toBe(2)

    writeFileSync(path, '{ "versionsKept": 5 }')
    await settings.reload()
    expect(applied).toEqual([5])
    expect(reloads.at(-1)).toBeUndefined()
    expect(settings.current().versionsKept).toBe(5)
  })

  test('that a bad file was put right again is told, also when nothing else changed', async () => {
    using home = temporaryHome()
    const path = settingsPathOf(home.configDirectory)
    const reloads: (Problem | undefined)[] = []
    const settings = liveSettings({
      configDirectory: home.configDirectory,
      initial: await readSettings(home.configDirectory),
      apply: async () => {},
      onReload: (problem) => reloads.push(problem),
    })
    writeFileSync(path, '{')
    await settings.reload()
    writeFileSync(path, '{}')
    await settings.reload()
    await settings.reload()
    expect(reloads.map((problem) => problem?.code)).toEqual(['SETTINGS_INVALID', undefined])
  })

  test('a file that is written in place is not looked at while it is empty, or half there', async () => {
    using home = temporaryHome()
    const path = settingsPathOf(home.configDirectory)
    writeFileSync(path, '{ "products": {} }')
    const seen: string[] = []
    const noticed = Promise.withResolvers<void>()
    const onChange = () => {
      seen.push(readFileSync(path, 'utf8'))
      noticed.resolve()
    }
    await using _watch = await watchSettings(home.configDirectory, onChange, noticed.reject, { settledMs: 2_000 })
    const file = await open(path, 'w')
    for (const part of ['{ ', '"versionsKept": ', '4 }']) {
      await delay(60) // The slowness of whoever writes.
      await file.write(part)
    }
    await file.close()
    await noticed.promise
    expect(seen).toEqual(['{ "versionsKept": 4 }'])
  })

  test('a file that appears, changes by rename, and goes, is noticed each time', async () => {
    using home = temporaryHome()
    const path = settingsPathOf(home.configDirectory)
    let noticed = () => {}
    const change = () => new Promise<void>((resolve) => (noticed = resolve))
    const errors: unknown[] = []
    await using _watch = await watchSettings(
      home.configDirectory,
      () => noticed(),
      (error) => errors.push(error),
    )

    const appeared = change()
    writeFileSync(path, '{}')
    await appeared
    const renamed = change()
    await editProduct(home.configDirectory, { name: ACME, source: 'main' })
    await renamed
    const changed = change()
    writeFileSync(path, '{ "versionsKept": 4 }')
    await changed
    expect(errors).toEqual([])
  })
})
