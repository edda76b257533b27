// Install kinds on real folders, with real programs: what each does, what it refuses, and that whatever fails or is killed
// half-way ends with the old or the new version in use, and told.
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { runCycle } from '@updraft/agent/cycle'
import type { CycleDependencies } from '@updraft/agent/cycle-types'
import { activatorFor, faultOfUse } from '@updraft/agent/in-use'
import { openReport } from '@updraft/agent/report'
import { rollBackByHand } from '@updraft/agent/rollback'
import { type ProductSettings, parseSettings } from '@updraft/agent/settings'
import { NOTHING_LIVE, statusOf } from '@updraft/agent/status'
import { openStore, type Store } from '@updraft/agent/store'
import { parseReleaseVersion } from '@updraft/core/names'
import { releaseOf, type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { processesNaming } from '../support/processes.ts'

let home: TemporaryHome
let store: Store
let product: string
let bin: string

beforeEach(() => {
  home = temporaryHome()
  product = join(home.dataDirectory, 'products/acme')
  bin = join(home.root, 'bin')
  mkdirSync(home.stateDirectory)
  mkdirSync(join(product, 'versions'), { recursive: true })
  mkdirSync(bin)
  store = openStore(home.stateDirectory)
})
afterEach(() => {
  expect(processesNaming(home.root)).toEqual([])
  store[Symbol.dispose]()
  home[Symbol.dispose]()
})

const settingsWith = (install: object): ProductSettings =>
  parseSettings(JSON.stringify({ products: { acme: { source: 'main', install } } }), 'agent.json')
    .products[0] as ProductSettings
const signal = new AbortController().signal

/** The tree of a version, in its place. */
const tree = (version: string, files: Readonly<Record<string, string>> = { tool: `#!/bin/sh\necho ${version}\n` }) => {
  const treePath = join(product, 'versions', version)
  mkdirSync(treePath)
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(treePath, name), text)
    chmodSync(join(treePath, name), 0o755)
  }
  return { version, treePath }
}
const link = (version: string): void => {
  rmSync(join(product, 'current'), { force: true })
  symlinkSync(`versions/${version}`, join(product, 'current'))
}
const script = (name: string, text: string): string => {
  const path = join(home.root, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}
const errorOf = async (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error as { readonly code: string; readonly message: string; readonly hint?: string },
  )

/** An installed version, as a cycle leaves it. */
const install = (settings: ProductSettings, version: string): void => {
  link(version)
  const { report } = reportOf(settings)
  report.entering(releaseOf(settings, version), 'activating')
  const path = join(product, 'current')
  report.installed({ ...releaseOf(settings, version), path, signers: [], threshold: 1 })
}
let timeMs = Date.parse('2026-01-01T00:00:00Z')
const now = (): Date => {
  timeMs += 1_000
  return new Date(timeMs)
}
const reportOf = (settings: ProductSettings) => openReport({ product: settings, store, now, onWarning: () => {} })
const dependenciesOf = (settings: ProductSettings) =>
  ({
    home,
    store,
    settings: parseSettings('{}', ''),
    report: reportOf(settings).report,
    now,
    signal,
  }) as object as CycleDependencies

/** An agent that was killed when `current` pointed to the version already. */
const interrupted = (settings: ProductSettings, version: string): void => {
  reportOf(settings).report.entering(releaseOf(settings, version), 'activating')
  link(version)
}
/** One look of a new start; the code that it ends with. No source is trusted, so one that is well ends there. */
const look = async (settings: ProductSettings): Promise<string | undefined> => {
  const { failed } = reportOf(settings)
  const error = await errorOf(runCycle(settings, dependenciesOf(settings)))
  failed(error)
  return error?.code
}
const state = (settings: ProductSettings) => ({
  current: existsSync(join(product, 'current')) ? readlinkSync(join(product, 'current')).slice(9) : undefined,
  recorded: store.installed.current(settings.name)?.version,
  inUse: store.activations.of(settings.name)?.version,
  bad: store.badMarks.all(settings.name).map(({ version, by }) => `${version} by ${by}`),
  findings: store.findings.open(settings.name).map(({ code }) => code),
  last: store.journal.latest(settings.name)?.state,
})

describe('kind file', () => {
  const fileAt = (more: object = {}) => settingsWith({ kind: 'file', path: join(bin, 'tool'), ...more })
  const activator = (settings = fileAt()) => activatorFor(settings, { home, signal })

  test('swaps a link, keeps the mode, and a program that runs keeps its file', async () => {
    const [one, two] = [tree('1.0.0'), tree('1.1.0')]
    await activator().assertFits(one)
    await activator().activate(one, undefined)
    const running = openSync(join(bin, 'tool'), 'r')
    await activator().activate(two, '1.0.0')
    rmSync(one.treePath, { recursive: true })
    const read = Buffer.alloc(100)
    expect(read.toString('utf8', 0, readSync(running, read))).toContain('echo 1.0.0')
    closeSync(running)
    expect(readFileSync(join(bin, 'tool'), 'utf8')).toContain('echo 1.1.0')
    expect(statSync(join(bin, 'tool')).mode & 0o777).toBe(0o755)
    expect(readdirSync(bin)).toEqual(['tool'])
    await activator().activate(two, '1.0.0') // Again, as after a kill.
    expect(await activator().faultOf(two)).toBeUndefined()
  })

  test('goes back to the version before, or to nothing', async () => {
    const [one, two] = [tree('1.0.0'), tree('1.1.0')]
    await activator().activate(two, undefined)
    await activator().leave(two, one)
    expect(readFileSync(join(bin, 'tool'), 'utf8')).toContain('echo 1.0.0')
    await activator().leave(one, undefined)
    expect(readdirSync(bin)).toEqual([])
    await activator().leave(one, undefined)
  })

  test.each([
    ['a file', () => writeFileSync(join(bin, 'tool'), 'mine')],
    ['a link', () => symlinkSync('/bin/true', join(bin, 'tool'))],
  ])('never overwrites %s of somebody else, unless its owner names it; then it comes back', async (_, put) => {
    const [one, two] = [tree('1.0.0'), tree('1.1.0')]
    put()
    const before = lstatSync(join(bin, 'tool')).ino
    const error = await errorOf(activator().assertFits(one))
    expect(error).toMatchObject({ code: 'PLACE_TAKEN', message: expect.stringContaining('was not put there') })
    expect((await errorOf(activator().activate(one, undefined)))?.code).toBe('PLACE_TAKEN')
    expect(lstatSync(join(bin, 'tool')).ino).toBe(before)

    const replaces = /"replaces": "([0-9a-f]{64})"/.exec(error?.hint ?? '')?.[1]
    const once = activator(fileAt({ replaces }))
    await once.assertFits(one)
    await once.activate(one, undefined)
    await once.activate(two, '1.0.0')
    expect(readFileSync(join(bin, 'tool'), 'utf8')).toContain('echo 1.1.0')
    await once.leave(two, undefined)
    expect(readdirSync(bin)).toEqual(['tool'])
    expect(lstatSync(join(bin, 'tool')).ino).toBe(before)

    rmSync(join(bin, 'tool'))
    writeFileSync(join(bin, 'tool'), 'another one')
    expect((await errorOf(once.activate(one, undefined)))?.code).toBe('PLACE_TAKEN')
    expect(readFileSync(join(bin, 'tool'), 'utf8')).toBe('another one')
  })

  test.each([
    ['several files and none is named', {}, '1.2.0 has 2 files, and it takes one'],
    ['no file of the name', { from: 'bin/tool' }, '1.2.0 has no file bin/tool'],
    ['no folder to put it into', { from: 'tool', path: '/nowhere/at/all/tool' }, 'there is no folder /nowhere/at/all'],
  ])('refuses a release with %s, before anything moves', async (_, more, says) => {
    const release = tree('1.2.0', { tool: 'x', README: 'y' })
    const error = await errorOf(activator(fileAt(more)).assertFits(release))
    expect(error).toMatchObject({ code: 'KIND_UNFIT', message: expect.stringContaining(says) })
    expect(readdirSync(bin)).toEqual([])
  })

  test('a folder in the way is never replaced', async () => {
    mkdirSync(join(bin, 'tool'))
    expect((await errorOf(activator().assertFits(tree('1.0.0'))))?.code).toBe('PLACE_TAKEN')
  })

  test('killed before the link was swapped, the next start swaps it and commits', async () => {
    const settings = fileAt()
    tree('1.0.0')
    tree('1.1.0')
    install(settings, '1.0.0')
    interrupted(settings, '1.1.0')
    expect(await look(settings)).toBe('ROOT_UNKNOWN')
    expect(readFileSync(join(bin, 'tool'), 'utf8')).toContain('echo 1.1.0')
    expect(state(settings)).toMatchObject({ current: '1.1.0', recorded: '1.1.0', inUse: '1.1.0', last: 'committed' })
  })

  test('a place that was taken meanwhile leaves the old version current, without a mark, and is told until it is free', async () => {
    const settings = fileAt()
    tree('1.0.0')
    tree('1.1.0')
    install(settings, '1.0.0')
    interrupted(settings, '1.1.0')
    writeFileSync(join(bin, 'tool'), 'mine')
    expect(await look(settings)).toBe('PLACE_TAKEN')
    expect(readFileSync(join(bin, 'tool'), 'utf8')).toBe('mine')
    expect(state(settings)).toEqual({
      current: '1.0.0',
      recorded: '1.0.0',
      inUse: undefined,
      bad: [],
      findings: ['not-in-use'],
      last: 'failed',
    })
    expect(await look(settings)).toBe('ROOT_UNKNOWN')
    expect(state(settings).findings).toContain('not-in-use')
    rmSync(join(bin, 'tool'))
    await look(settings)
    expect(readFileSync(join(bin, 'tool'), 'utf8')).toContain('echo 1.0.0')
    expect(state(settings)).toMatchObject({ inUse: '1.0.0', findings: ['root-unknown'] })
  })

  test('another place, or another kind, is taken over with the next look, and the place before is left', async () => {
    const settings = fileAt()
    tree('1.0.0')
    install(settings, '1.0.0')
    await activator(settings).activate({ version: '1.0.0', treePath: join(product, 'versions/1.0.0') }, undefined)
    const moved = fileAt({ path: join(bin, 'other') })
    await look(moved)
    expect(readdirSync(bin)).toEqual(['other'])
    expect(state(moved).inUse).toBe('1.0.0')
    await look(settingsWith({ kind: 'directory' }))
    expect(readdirSync(bin)).toEqual([])
  })

  test('by hand back to the version before, the link goes there, and who asks is told where it is in use', async () => {
    const settings = fileAt()
    tree('1.0.0')
    const two = tree('1.1.0')
    install(settings, '1.0.0')
    install(settings, '1.1.0')
    await activator(settings).activate(two, '1.0.0')
    await rollBackByHand(settings, undefined, dependenciesOf(settings))
    expect(readFileSync(join(bin, 'tool'), 'utf8')).toContain('echo 1.0.0')
    const all = parseSettings(JSON.stringify({ products: { acme: { source: 'main', install: settings.install } } }), '')
    expect(statusOf({ store, settings: all, sources: [], live: NOTHING_LIVE }).products[0]).toMatchObject({
      use: { kind: 'file', place: join(bin, 'tool'), version: '1.0.0' },
      bad: [{ version: '1.1.0', by: 'person', reason: 'a person went back from 1.1.0 to 1.0.0' }],
    })
    expect(await faultOfUse(settings, { home, store, signal })).toBeUndefined()
    rmSync(join(bin, 'tool'))
    symlinkSync('/bin/true', join(bin, 'tool'))
    expect(await faultOfUse(settings, { home, store, signal })).toContain('leads to /bin/true, not to ')
  })
})

describe('kind command', () => {
  const log = () => (existsSync(join(home.root, 'log')) ? readFileSync(join(home.root, 'log'), 'utf8').trim() : '')
  const setup = () =>
    script(
      'setup',
      `echo "$1:$UPDRAFT_PRODUCT:$UPDRAFT_VERSION:$UPDRAFT_PREVIOUS:$UPDRAFT_TREE:$(pwd)" >> ${home.root}/log`,
    )
  const by = (command: readonly string[], more: object = {}) => settingsWith({ kind: 'command', command, ...more })
  const activator = (settings: ProductSettings) => activatorFor(settings, { home, signal })

  test('gets no shell, the versions, and the tree as its folder', async () => {
    const [one, two] = [tree('1.0.0'), tree('1.1.0')]
    const kind = activator(by([setup(), '$HOME; x']))
    await kind.activate(one, undefined)
    await kind.activate(two, '1.0.0')
    await kind.leave(two, one)
    expect(log().split('\n')).toEqual([
      `$HOME; x:acme:1.0.0::${one.treePath}:${one.treePath}`,
      `$HOME; x:acme:1.1.0:1.0.0:${two.treePath}:${two.treePath}`,
      `$HOME; x:acme:1.0.0:1.1.0:${one.treePath}:${one.treePath}`,
    ])
  })

  test('goes back with a program of its own, also to nothing', async () => {
    const [one, two] = [tree('1.0.0'), tree('1.1.0')]
    const kind = activator(by([setup(), 'do'], { undo: [setup(), 'undo'] }))
    await kind.leave(two, one)
    await kind.leave(one, undefined)
    expect(log().split('\n')).toEqual([
      `undo:acme:1.0.0:1.1.0:${one.treePath}:${one.treePath}`,
      `undo:acme::1.0.0::${join(home.dataDirectory, 'products')}`,
    ])
  })

  test.each([
    ['fails', 'echo no licence >&2; exit 4', 60, 'ended with exit code 4, and said last: no licence'],
    [
      'hangs, with a child in a session of its own',
      'setsid sleep 600 & sleep 600',
      1,
      'still ran after 1 s and was ended',
    ],
    ['floods', 'yes', 60, 'bytes and was killed'],
  ])(
    'a program that %s is told with what it said, and leaves no process behind',
    async (_, text, timeoutSeconds, says) => {
      const kind = activator(by([script('setup', text)], { timeoutSeconds }))
      const error = await errorOf(kind.activate(tree('1.1.0'), undefined))
      expect(error).toMatchObject({ code: 'ACTIVATION_FAILED', message: expect.stringContaining(says) })
    },
  )

  test('a program of the owner that is not there is not held against the version', async () => {
    const error = await errorOf(activator(by(['/nowhere/setup'])).activate(tree('1.1.0'), undefined))
    expect(error).toMatchObject({ code: 'KIND_UNFIT', message: expect.stringContaining('could not be started') })
  })

  test('killed over it, the next start runs it again; one that fails for the version is rolled back and marked', async () => {
    const settings = by([script('setup', `echo $UPDRAFT_VERSION >> ${home.root}/log; test $UPDRAFT_VERSION != 1.2.0`)])
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) tree(version)
    install(settings, '1.0.0')
    interrupted(settings, '1.1.0')
    expect(await look(settings)).toBe('ROOT_UNKNOWN')
    expect(state(settings)).toMatchObject({ current: '1.1.0', inUse: '1.1.0', last: 'committed' })
    interrupted(settings, '1.2.0')
    expect(await look(settings)).toBe('ACTIVATION_FAILED')
    expect(log().split('\n')).toEqual(['1.1.0', '1.2.0', '1.1.0'])
    expect(state(settings)).toEqual({
      current: '1.1.0',
      recorded: '1.1.0',
      inUse: '1.1.0',
      bad: ['1.2.0 by install'],
      findings: ['root-unknown', 'release-unhealthy'],
      last: 'rolled-back',
    })
    expect(readdirSync(join(product, 'versions')).sort()).toEqual(['1.0.0', '1.1.0'])
  })

  test('a way back that fails is told, removes nothing, and is tried again until it is done', async () => {
    const settings = by([script('setup', `test ! -e ${home.root}/broken && echo $UPDRAFT_VERSION >> ${home.root}/log`)])
    for (const version of ['1.0.0', '1.1.0']) tree(version)
    install(settings, '1.0.0')
    interrupted(settings, '1.1.0')
    writeFileSync(join(home.root, 'broken'), '')
    expect(await look(settings)).toBe('ACTIVATION_FAILED')
    expect(state(settings)).toMatchObject({ current: '1.0.0', inUse: undefined, last: 'rolled-back' })
    expect(state(settings).findings).toContain('not-in-use')
    expect(readdirSync(join(product, 'versions')).sort()).toEqual(['1.0.0', '1.1.0'])
    rmSync(join(home.root, 'broken'))
    await look(settings)
    expect(log()).toBe('1.0.0')
    expect(state(settings).inUse).toBe('1.0.0')
    expect(state(settings).findings).not.toContain('not-in-use')
    await look(settings)
    expect(log()).toBe('1.0.0') // Not again without a reason.
  })

  test('killed on the way back of a first version without a program for that, nothing is current', async () => {
    const settings = by([script('setup', 'exit 1')])
    tree('1.0.0')
    interrupted(settings, '1.0.0')
    expect(await look(settings)).toBe('ACTIVATION_FAILED')
    expect(state(settings)).toMatchObject({ current: undefined, recorded: undefined, bad: ['1.0.0 by install'] })
  })
})

test('a version is known as one of semver wherever it is written down', () => {
  const settings = settingsWith({ kind: 'file', path: join(bin, 'tool') })
  store.activations.put(settings.name, settings.install, parseReleaseVersion('1.0.0'))
  expect(store.activations.of(settings.name)).toEqual({ install: settings.install, version: '1.0.0' })
  store.activations.doubt(settings.name)
  expect(store.activations.of(settings.name)).toEqual({ install: settings.install, version: undefined })
})
