// The way back, on real folders: where `current` points afterwards, what is kept, what is remembered, and that a kill at any
// point of it is followed by the same end.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { CycleDependencies, CycleReport } from '@updraft/agent/cycle-types'
import { recover } from '@updraft/agent/recover'
import { openReport } from '@updraft/agent/report'
import { rollBack, rollBackByHand } from '@updraft/agent/rollback'
import { type ProductSettings, parseSettings } from '@updraft/agent/settings'
import { openStore, type Store } from '@updraft/agent/store'
import { eventSchema } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { parseReleaseVersion, type ReleaseVersion } from '@updraft/core/names'
import { releaseOf, type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'

const settings = parseSettings('{"products": {"acme": {"source": "main"}}}', 'agent.json')
  .products[0] as ProductSettings
const ACME = settings.name
const UNHEALTHY = new UpdateError('PROBE_FAILED', 'the probe failed', { hint: 'look at it' })
const version = (text: string): ReleaseVersion => parseReleaseVersion(text)

let home: TemporaryHome
let store: Store
let dependencies: CycleDependencies
let product: string
let timeMs = Date.parse('2026-01-01T00:00:00Z')

beforeEach(() => {
  home = temporaryHome()
  product = join(home.dataDirectory, 'products/acme')
  mkdirSync(home.stateDirectory)
  mkdirSync(join(product, 'versions'), { recursive: true })
  store = openStore(home.stateDirectory)
  dependencies = { home, store, report: report(), signal: new AbortController().signal } as object as CycleDependencies
})
afterEach(() => {
  store[Symbol.dispose]()
  home[Symbol.dispose]()
})

/** A second later with each look at it, so that versions are installed one after the other. */
const now = (): Date => {
  timeMs += 1_000
  return new Date(timeMs)
}
const report = (): CycleReport => openReport({ product: settings, store, now, onWarning: () => {} }).report

/** A tree in its place, with `current` pointing to it. */
const place = (name: string): void => {
  const tree = join(product, 'versions', name)
  mkdirSync(tree)
  writeFileSync(join(tree, 'version'), name)
  link(name)
}
const link = (name: string): void => {
  rmSync(join(product, 'current'), { force: true })
  symlinkSync(`versions/${name}`, join(product, 'current'))
}
/** As far as an update comes before it is probed. */
const activate = (name: string): void => {
  report().entering(releaseOf(settings, name), 'activating')
  place(name)
  report().entering(releaseOf(settings, name), 'probing')
}
const install = (name: string): void => {
  activate(name)
  const { platform } = releaseOf(settings)
  report().installed({ version: version(name), platform, path: join(product, 'current'), signers: [], threshold: 1 })
}

const running = (): string | undefined =>
  existsSync(join(product, 'current')) ? readFileSync(join(product, 'current/version'), 'utf8') : undefined
const places = (): readonly string[] => readdirSync(join(product, 'versions')).sort()
const state = () => {
  const latest = store.journal.latest(ACME)
  return {
    running: running(),
    recorded: store.installed.current(ACME)?.version,
    places: places(),
    last: latest && `${latest.version} ${latest.state}`,
    open: store.journal.open(ACME)?.version,
    bad: store.badMarks.all(ACME).map((mark) => `${mark.version} by ${mark.by}`),
    findings: store.findings.open(ACME).map(({ code }) => code),
  }
}

const BACK_AT_FIRST = {
  running: '1.0.0',
  recorded: '1.0.0',
  places: ['1.0.0'],
  last: '1.1.0 rolled-back',
  open: undefined,
  bad: ['1.1.0 by probe'],
  findings: ['release-unhealthy'],
}
const BACK_AT_NOTHING = { ...BACK_AT_FIRST, running: undefined, recorded: undefined, places: [] }

describe('a version that failed its probe', () => {
  test('is left for the one before it, marked, told, and its remains are gone', async () => {
    install('1.0.0')
    activate('1.1.0')
    const staged = join(home.dataDirectory, 'staging', `acme_1.1.0_${settings.platform}`)
    mkdirSync(staged, { recursive: true })
    await rollBack(settings, releaseOf(settings, '1.1.0'), 'probe', UNHEALTHY, dependencies)
    expect(state()).toEqual(BACK_AT_FIRST)
    expect(existsSync(staged)).toBe(false)
    expect(store.journal.latest(ACME)?.problem).toMatchObject({ code: 'PROBE_FAILED', detail: 'the probe failed' })
    expect(store.findings.open(ACME)).toMatchObject([{ message: 'the probe failed', hint: 'look at it' }])
    const events = store.events.after(0, 100) ?? []
    for (const { event } of events) expect(eventSchema.safeParse(event).success).toBe(true)
    expect(events.slice(-2).map(({ event }) => event)).toMatchObject([
      { kind: 'update', update: { state: 'rolled-back', error: { code: 'PROBE_FAILED' } } },
      { kind: 'finding', finding: { code: 'release-unhealthy', severity: 'warning' } },
    ])
  })

  test('as the first one, leaves nothing installed', async () => {
    activate('1.1.0')
    await rollBack(settings, releaseOf(settings, '1.1.0'), 'probe', UNHEALTHY, dependencies)
    expect(state()).toEqual(BACK_AT_NOTHING)
  })

  test('stays in place if the one before it is gone: a bad version is better than none', async () => {
    install('1.0.0')
    activate('1.1.0')
    rmSync(join(product, 'versions/1.0.0'), { recursive: true })
    await expect(
      rollBack(settings, releaseOf(settings, '1.1.0'), 'probe', UNHEALTHY, dependencies),
    ).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
    })
    expect(state()).toMatchObject({ running: '1.1.0', places: ['1.1.0'], bad: ['1.1.0 by probe'] })
  })

  test('goes back to what was there before the store was lost', async () => {
    place('0.9.0')
    activate('1.1.0')
    await rollBack(settings, releaseOf(settings, '1.1.0'), 'probe', UNHEALTHY, dependencies)
    expect(state()).toEqual({ ...BACK_AT_NOTHING, running: '0.9.0', places: ['0.9.0'] })
  })

  test('goes back to a version that was installed over itself', async () => {
    install('1.0.0')
    rmSync(join(product, 'versions/1.0.0'), { recursive: true })
    place('1.0.0~again')
    activate('1.1.0')
    await rollBack(settings, releaseOf(settings, '1.1.0'), 'probe', UNHEALTHY, dependencies)
    expect(running()).toBe('1.0.0~again')
  })

  describe.each([
    ['over another', true, BACK_AT_FIRST],
    ['as the first', false, BACK_AT_NOTHING],
  ] as const)('installed %s', (_, hasFirst, end) => {
    const points: readonly (readonly [name: string, act: () => void])[] = [
      ['before anything has moved', () => {}],
      ['after `current` was moved', () => (hasFirst ? link('1.0.0') : rmSync(join(product, 'current')))],
      [
        'after its tree was removed',
        () => {
          if (hasFirst) link('1.0.0')
          else rmSync(join(product, 'current'))
          rmSync(join(product, 'versions/1.1.0'), { recursive: true })
        },
      ],
    ]
    test.each(points)('and the agent killed %s, is left all the same', async (_name, act) => {
      if (hasFirst) install('1.0.0')
      activate('1.1.0')
      report().condemned({ release: releaseOf(settings, '1.1.0'), by: 'probe', error: UNHEALTHY })
      act()
      expect(await recover(settings, dependencies)).toBeUndefined()
      expect(state()).toEqual(end)
      expect(await recover(settings, dependencies)).toBeUndefined()
      expect(state()).toEqual(end)
    })
  })
})

describe('by hand', () => {
  beforeEach(() => {
    for (const name of ['1.0.0', '1.1.0', '1.2.0']) install(name)
  })
  const back = (wanted?: string) =>
    rollBackByHand(settings, wanted === undefined ? undefined : version(wanted), dependencies)

  test('goes to the newest older version, keeps the one that it left, and tells', async () => {
    expect(await back()).toEqual({ version: '1.1.0', previous: '1.2.0' })
    expect(state()).toEqual({
      running: '1.1.0',
      recorded: '1.1.0',
      places: ['1.0.0', '1.1.0', '1.2.0'],
      last: '1.2.0 rolled-back',
      open: undefined,
      bad: ['1.2.0 by person'],
      findings: [],
    })
    expect(store.journal.history(ACME)[0]?.problem?.detail).toBe('a person went back from 1.2.0 to 1.1.0')
    expect((store.events.after(0, 100) ?? []).at(-1)?.event).toEqual({
      kind: 'installed',
      product: 'acme',
      version: '1.1.0',
      previous: '1.2.0',
    })
  })

  test('again, goes one further back, and passes over what is bad itself', async () => {
    await back('1.0.0')
    expect(running()).toBe('1.0.0')
    install('1.3.0')
    await back()
    expect(running()).toBe('1.1.0')
    await back()
    expect(running()).toBe('1.0.0')
  })

  test('a named version may be one that was marked bad; then it no longer is', async () => {
    await back()
    install('1.3.0')
    await back('1.2.0')
    expect(state()).toMatchObject({ running: '1.2.0', bad: ['1.3.0 by person'] })
  })

  test('an update of another version under way is given up', async () => {
    report().entering(releaseOf(settings, '1.3.0'), 'downloading')
    await back()
    expect(running()).toBe('1.1.0')
    expect(store.journal.history(ACME, 2).map((entry) => [entry.version, entry.state])).toEqual([
      ['1.2.0', 'rolled-back'],
      ['1.3.0', 'failed'],
    ])
  })

  test('a version that is being probed is the one that is left', async () => {
    activate('1.3.0')
    expect(await back()).toEqual({ version: '1.2.0', previous: '1.3.0' })
    expect(state()).toMatchObject({ running: '1.2.0', places: ['1.0.0', '1.1.0', '1.2.0'], last: '1.3.0 rolled-back' })
  })

  test('killed before `current` was moved, the next start moves it', async () => {
    const goTo = store.installed.kept(ACME).find((record) => record.version === '1.0.0')
    const error = new UpdateError('ABORTED', 'a person went back')
    if (goTo === undefined) throw new Error('not kept')
    report().condemned({ release: releaseOf(settings, '1.2.0'), by: 'person', error, goTo })
    expect(running()).toBe('1.2.0')
    await recover(settings, dependencies)
    expect(state()).toMatchObject({ running: '1.0.0', recorded: '1.0.0', last: '1.2.0 rolled-back', open: undefined })
  })

  test.each([
    ['a version that is not kept', '0.9.0', 'RELEASE_UNKNOWN', 'there is no 0.9.0 to go back to'],
    ['the version that is installed', '1.2.0', 'USAGE', '1.2.0 is not older than 1.2.0'],
    ['a newer one', '2.0.0', 'USAGE', '2.0.0 is not older than 1.2.0'],
  ])('refuses %s, and changes nothing', async (_, wanted, code, says) => {
    const before = state()
    await expect(back(wanted)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(says),
      hint: expect.any(String),
    })
    expect(state()).toEqual(before)
  })

  test('refuses when only versions are left whose folders are gone', async () => {
    for (const gone of ['1.0.0', '1.1.0']) rmSync(join(product, 'versions', gone), { recursive: true })
    await expect(back()).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' })
    expect(running()).toBe('1.2.0')
  })
})

test('with nothing installed there is nothing to go back from', async () => {
  await expect(rollBackByHand(settings, undefined, dependencies)).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' })
})

describe('a start', () => {
  test('names the version that is in place and was not probed to the end', async () => {
    install('1.0.0')
    activate('1.1.0')
    expect(await recover(settings, dependencies)).toMatchObject({ product: 'acme', version: '1.1.0' })
    expect(running()).toBe('1.1.0')
  })

  test('puts back a link that is gone', async () => {
    install('1.0.0')
    rmSync(join(product, 'current'))
    expect(await recover(settings, dependencies)).toBeUndefined()
    expect(running()).toBe('1.0.0')
  })

  test('after an update came less far, does nothing', async () => {
    install('1.0.0')
    report().entering(releaseOf(settings, '1.1.0'), 'verifying')
    expect(await recover(settings, dependencies)).toBeUndefined()
    expect(state()).toMatchObject({ running: '1.0.0', open: '1.1.0' })
  })
})
