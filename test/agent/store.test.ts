// The agent's memory on real SQLite files: what it keeps, what it refuses to forget, and what a damaged file gets.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { databasePathOf, openStore, type Store } from '@updraft/agent/store'
import type { InstalledRecord } from '@updraft/agent/store/installed'
import { timesInterrupted } from '@updraft/agent/store/journal'
import { MIGRATIONS_KNOWN } from '@updraft/agent/store/schema'
import type { RecordedEvent, UpdateState } from '@updraft/core/control/api'
import { problemOf } from '@updraft/core/control/problem'
import { UpdateError } from '@updraft/core/errors'
import { parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { describeWith, needsRoot } from '../support/needs.ts'

const ACME = parseProduct('acme')
const AT = '2026-01-02T03:04:05.000Z'
const release = (version: string) => ({
  product: ACME,
  version: parseReleaseVersion(version),
  platform: parsePlatform('any'),
})

let directory = ''
let store: Store

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'updraft-store-'))
  store = openStore(directory)
})
afterEach(() => {
  store[Symbol.dispose]()
  rmSync(directory, { recursive: true })
})

const reopen = (options = {}): Store => {
  store[Symbol.dispose]()
  store = openStore(directory, options)
  return store
}

const refusalOf = (work: () => unknown): unknown => {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}

describe('version floors', () => {
  test('are raised and never sink', () => {
    store.floors.raise('main', { root: 3, timestamp: 7 })
    store.floors.raise('main', { root: 2, timestamp: 9, acme: 1 })
    expect(store.floors.read('main')).toEqual({ root: 3, timestamp: 9, acme: 1 })
    expect(reopen().floors.read('main')).toEqual({ root: 3, timestamp: 9, acme: 1 })
  })

  test('of one source are not those of another', () => {
    store.floors.raise('main', { root: 3 })
    expect(store.floors.read('other')).toEqual({})
  })

  test('hold for roles with names that JavaScript treats specially', () => {
    store.floors.raise(
      'main',
      Object.fromEntries([
        ['__proto__', 4],
        ['12', 5],
      ]),
    )
    expect(Object.entries(store.floors.read('main')).sort()).toEqual([
      ['12', 5],
      ['__proto__', 4],
    ])
  })
})

describe('installed versions', () => {
  const record = (version: string, installedAt: string): InstalledRecord => ({
    ...release(version),
    source: 'main',
    path: '/p/acme/current',
    signers: [{ keyId: 'k1', name: 'Acme' }],
    threshold: 1,
    installedAt,
  })

  test('one is current, the others are kept, and the current one cannot be forgotten', () => {
    store.installed.makeCurrent(record('1.0.0', '2026-01-01T00:00:00Z'))
    store.installed.makeCurrent(record('1.1.0', '2026-01-02T00:00:00Z'))
    store.installed.forget(ACME, parseReleaseVersion('1.1.0'))
    expect(store.installed.current(ACME)).toEqual(record('1.1.0', '2026-01-02T00:00:00Z'))
    expect(store.installed.kept(ACME).map(({ version }) => version)).toEqual(['1.1.0', '1.0.0'])
    store.installed.forget(ACME, parseReleaseVersion('1.0.0'))
    expect(store.installed.kept(ACME).map(({ version }) => version)).toEqual(['1.1.0'])
  })

  test('going back to a kept version makes that one current', () => {
    store.installed.makeCurrent(record('1.0.0', '2026-01-01T00:00:00Z'))
    store.installed.makeCurrent(record('1.1.0', '2026-01-02T00:00:00Z'))
    store.installed.makeCurrent(record('1.0.0', '2026-01-03T00:00:00Z'))
    expect(store.installed.allCurrent().map(({ version }) => version)).toEqual(['1.0.0'])
    expect(store.installed.kept(ACME)).toHaveLength(2)
  })
})

const mark = (version: string, by: 'probe' | 'person' = 'probe') => ({
  product: ACME,
  version: parseReleaseVersion(version),
  by,
  problem: problemOf(new UpdateError('PROBE_FAILED', `${version} is not well`)),
  at: AT,
})

describe('bad marks', () => {
  test('stay over a restart, one for each version, until they are lifted', () => {
    store.badMarks.put(mark('1.1.0'))
    store.badMarks.put(mark('1.1.0', 'person'))
    store.badMarks.put(mark('1.2.0'))
    expect(reopen().badMarks.all(ACME)).toEqual([mark('1.1.0', 'person'), mark('1.2.0')])
    store.badMarks.lift(ACME, parseReleaseVersion('1.1.0'))
    expect(store.badMarks.of(ACME, parseReleaseVersion('1.1.0'))).toBeUndefined()
    expect(store.badMarks.all(parseProduct('tool'))).toEqual([])
  })
})

test('interruptions are counted from the end of the steps, and only in a row', () => {
  const steps = (...states: UpdateState[]) => states.map((state) => ({ state, at: AT }))
  expect(timesInterrupted([])).toBe(0)
  expect(timesInterrupted(steps('downloading', 'activating'))).toBe(0)
  expect(timesInterrupted(steps('activating', 'probing', 'probing'))).toBe(2)
  expect(timesInterrupted(steps('probing', 'probing', 'activating', 'probing'))).toBe(1)
})

describe('journal', () => {
  test('keeps one open update with all of its steps, over a restart', () => {
    store.journal.enter(release('1.0.0'), 'downloading', AT)
    store.journal.transfer(ACME, { haveBytes: 5, totalBytes: 9, bytes: { peers: 5, origin: 0, reused: 0 }, peers: 2 })
    expect(reopen().journal.open(ACME)).toMatchObject({
      version: '1.0.0',
      state: 'downloading',
      haveBytes: 5,
      peers: 2,
    })
    store.journal.enter(release('1.0.0'), 'verifying', AT)
    store.journal.end(ACME, 'committed', AT)
    expect(store.journal.open(ACME)).toBeUndefined()
    expect(store.journal.latest(ACME)).toMatchObject({ state: 'committed', endedAt: AT, peers: 0 })
    expect(store.journal.steps(ACME).map(({ state }) => state)).toEqual(['downloading', 'verifying', 'committed'])
    expect(store.journal.history(ACME, 10)).toHaveLength(1)
  })

  test('ending when nothing is open changes nothing', () => {
    store.journal.end(ACME, 'failed', AT)
    expect(store.journal.latest(ACME)).toBeUndefined()
  })

  test('forgets the oldest updates, with their steps', () => {
    for (let index = 0; index < 210; index += 1) {
      store.journal.enter(release(`1.0.${index}`), 'downloading', AT)
      store.journal.end(ACME, 'committed', AT)
    }
    expect(store.journal.history(ACME, 1_000)).toHaveLength(200)
    using raw = new DatabaseSync(databasePathOf(directory))
    expect(raw.prepare('SELECT count(*) AS steps FROM step').get()).toMatchObject({ steps: 400 })
  })
})

describe('findings', () => {
  test('are raised once, keep their first time, and are new again after they were cleared', () => {
    const finding = { code: 'source-unreachable', message: 'no answer', hint: '' } as const
    expect(store.findings.raise(ACME, finding, AT)).toMatchObject({ severity: 'warning', since: AT })
    expect(store.findings.raise(ACME, finding, 'later')).toBeUndefined()
    expect(store.findings.raise(ACME, { ...finding, message: 'refused' }, 'later')).toMatchObject({ since: AT })
    expect(store.findings.open(ACME)).toHaveLength(1)
    expect(store.findings.clear(ACME, 'source-unreachable', 'later')).toBe(true)
    expect(store.findings.clear(ACME, 'source-unreachable', 'later')).toBe(false)
    expect(store.findings.open(ACME)).toEqual([])
    expect(store.findings.raise(ACME, finding, 'much later')).toMatchObject({ since: 'much later' })
  })
})

describe('event log', () => {
  const append = (name: string) => store.events.append({ kind: 'check', source: name }, AT)

  test('numbers events without gaps from 1, over restarts and failed transactions', () => {
    append('a')
    expect(() =>
      store.transaction(() => {
        append('b')
        throw new Error('no')
      }),
    ).toThrow('no')
    append('c')
    reopen()
    append('d')
    expect(store.events.after(0, 10)?.map(({ cursor }) => cursor)).toEqual([1, 2, 3])
    expect(store.events.cursor()).toBe(3)
  })

  test('tells those that follow, once the event is durable and only then', () => {
    const heard: RecordedEvent[] = []
    const stop = store.events.onAppend((recorded) => heard.push(recorded))
    store.transaction(() => {
      append('a')
      expect(heard).toEqual([])
    })
    refusalOf(() =>
      store.transaction(() => {
        append('lost')
        throw new Error('no')
      }),
    )
    append('b')
    stop()
    append('c')
    expect(heard.map(({ event }) => event)).toEqual([
      { kind: 'check', source: 'a' },
      { kind: 'check', source: 'b' },
    ])
  })

  test('keeps the newest, and says so to whoever asks for what is gone or for what never was', () => {
    reopen({ kept: 50 })
    for (let index = 1; index <= 200; index += 1) append(String(index))
    expect(store.events.after(150, 1_000)).toHaveLength(50)
    expect(store.events.after(149, 1_000)).toBeUndefined()
    expect(store.events.after(0, 1_000)).toBeUndefined()
    expect(store.events.after(200, 1_000)).toEqual([])
    expect(store.events.after(201, 1_000)).toBeUndefined()
  })
})

describe('checks', () => {
  test('a failure keeps what the last success knew', () => {
    const expires = { role: 'timestamp', at: '2026-02-01T00:00:00Z' }
    const checked = (at: string, product = 'acme') => ({ source: 'main', product: parseProduct(product), at })
    store.checks.succeeded(checked(AT), expires, 4)
    const problem = { type: 't', title: 't', status: 502, detail: 'no answer', code: 'SOURCE_UNREACHABLE' }
    store.checks.failed(checked('later'), problem)
    expect(store.checks.source('main')).toEqual({ source: 'main', at: 'later', expires, rootVersion: 4 })
    // Another product of the same source says nothing about this one.
    store.checks.succeeded(checked('at last', 'other'), expires, 5)
    expect(store.checks.source('main')).toMatchObject({ at: 'at last', rootVersion: 5 })
    expect(store.checks.product(parseProduct('acme'))).toEqual({ source: 'main', at: 'later', problem })
    expect(store.checks.product(parseProduct('other'))).toEqual({ source: 'main', at: 'at last' })
  })
})

describe('transactions', () => {
  test('write everything or nothing', () => {
    expect(() =>
      store.transaction(() => {
        store.floors.raise('main', { root: 1 })
        store.seeds.put({ ...release('1.0.0'), name: 'n', infoHash: 'h', trackers: [], lengthBytes: 1, since: AT })
        throw new UpdateError('IO', 'no')
      }),
    ).toThrow('no')
    expect(store.floors.read('main')).toEqual({})
    expect(store.seeds.all()).toEqual([])
  })
})

describe('a damaged database is never replaced by an empty one', () => {
  const damage: Record<string, (path: string) => void> = {
    'torn in the middle': (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
    'cut to nothing': (path) => truncateSync(path, 0),
    'something else entirely': (path) => writeFileSync(path, 'not a database'.repeat(500)),
    'an empty database': (path) => {
      rmSync(path)
      using raw = new DatabaseSync(path)
      raw.exec('CREATE TABLE t (a); DROP TABLE t')
    },
    'of a newer agent': (path) => {
      using raw = new DatabaseSync(path)
      raw.exec('PRAGMA user_version = 99')
    },
  }

  test.each(Object.keys(damage))('%s', (name) => {
    store.floors.raise('main', { root: 3 })
    store[Symbol.dispose]()
    const path = databasePathOf(directory)
    damage[name]?.(path)
    rmSync(join(directory, 'remembered.json'))
    const before = readFileSync(path)
    for (const readOnly of [false, true]) {
      expect(refusalOf(() => openStore(directory, { readOnly }))).toMatchObject({
        code: 'STATE_DAMAGED',
        hint: expect.any(String),
      })
    }
    expect(readFileSync(path)).toEqual(before)
    rmSync(path)
    for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
    store = openStore(directory)
  })

  test('of an older agent is brought up to date, and keeps what it knew', () => {
    store.floors.raise('main', { root: 3 })
    store[Symbol.dispose]()
    {
      using raw = new DatabaseSync(databasePathOf(directory))
      raw.exec(
        `DROP TABLE bad_mark; DROP TABLE hold; DROP TABLE verdict; DROP TABLE first_seen; DROP TABLE product_check; DROP TABLE activation;
         DROP TABLE uploaded;
         ALTER TABLE seed DROP COLUMN stamp; ALTER TABLE installed DROP COLUMN nth;
         DROP TABLE ban; ALTER TABLE finding DROP COLUMN severity; PRAGMA user_version = 1`,
      )
    }
    expect(refusalOf(() => openStore(directory, { readOnly: true }))).toMatchObject({ code: 'STATE_DAMAGED' })
    store = openStore(directory)
    expect(store.floors.read('main')).toEqual({ root: 3 })
    store.badMarks.put(mark('1.1.0'))
    expect(store.badMarks.all(ACME)).toHaveLength(1)
    store.wishes.hold(ACME, { since: AT, until: undefined })
    expect(reopen({ readOnly: true }).wishes.of(ACME).hold).toEqual({ since: AT, until: undefined })
  })

  describe('of a newer agent, which was tried and left', () => {
    /** As a newer one leaves it: a copy from before, then its own tables, and what it did. */
    const asNewer = (writes: (raw: DatabaseSync) => void): void => {
      store[Symbol.dispose]()
      using raw = new DatabaseSync(databasePathOf(directory))
      const { user_version: known } = raw.prepare('PRAGMA user_version').get() as { readonly user_version: number }
      raw.prepare('VACUUM INTO ?').run(`${databasePathOf(directory)}.schema-${known}`)
      raw.exec(`CREATE TABLE tomorrow (day TEXT) STRICT; PRAGMA user_version = ${known + 1}`)
      writes(raw)
    }

    test('goes on from the copy, with no floor lowered, and what the owner has said and what was found bad kept', () => {
      store.floors.raise('main', { root: 3, targets: 5 })
      store.wishes.hold(ACME, { since: AT, until: undefined })
      const { cursor } = store.events.append({ kind: 'settings' }, AT)
      asNewer((raw) => {
        raw.exec(`
          UPDATE floor SET version = 9 WHERE role = 'targets'; INSERT INTO floor VALUES ('main', 'snapshot', 7);
          DELETE FROM hold;
          INSERT INTO verdict VALUES ('acme', '1.1.0', 'skipped', '${AT}');
          INSERT INTO event (at, event) VALUES ('${AT}', '{"kind":"of tomorrow"}')`)
        raw
          .prepare('INSERT INTO bad_mark VALUES (?, ?, ?, ?, ?)')
          .run('acme', '1.2.0', 'start', JSON.stringify(mark('1.2.0').problem), AT)
      })
      store = openStore(directory)
      expect(store.floors.read('main')).toEqual({ root: 3, targets: 9, snapshot: 7 })
      expect(store.wishes.of(ACME)).toEqual({ hold: undefined, verdicts: new Map([['1.1.0', 'skipped']]) })
      expect(store.badMarks.all(ACME).map(({ version }) => version)).toEqual(['1.2.0'])
      // A cursor that was given out is not given out again: who has it is told to read the status.
      expect(store.events.after(cursor + 1, 10)).toEqual([])
      expect(store.events.append({ kind: 'settings' }, AT).cursor).toBe(cursor + 2)
      expect(store.events.after(cursor, 10)).toBeUndefined()
      expect(
        readdirSync(directory)
          .filter((name) => name.startsWith('agent.db'))
          .sort(),
      ).toContain('agent.db.newer')
    })

    test('is not given up for less: a floor that the copy has higher stays', () => {
      store.floors.raise('main', { root: 3 })
      asNewer((raw) => raw.exec('DELETE FROM floor'))
      store = openStore(directory)
      expect(store.floors.read('main')).toEqual({ root: 3 })
    })

    test('and without a copy from before is refused as it is', () => {
      asNewer(() => {})
      for (const name of readdirSync(directory)) if (name.includes('.schema-')) rmSync(join(directory, name))
      expect(refusalOf(() => openStore(directory))).toMatchObject({ code: 'STATE_DAMAGED' })
      using raw = new DatabaseSync(databasePathOf(directory))
      expect(raw.prepare('SELECT count(*) AS tables FROM tomorrow').get()).toEqual({ tables: 0 })
      raw.exec(`DROP TABLE tomorrow; PRAGMA user_version = ${MIGRATIONS_KNOWN}`)
      store = openStore(directory)
    })

    test('killed over it, the next opening ends in the same place', () => {
      store.floors.raise('main', { root: 3 })
      asNewer((raw) => raw.exec('UPDATE floor SET version = 4'))
      writeFileSync(`${databasePathOf(directory)}.going-back`, 'half of it')
      writeFileSync(`${databasePathOf(directory)}.newer`, 'an old one')
      store = openStore(directory)
      expect(store.floors.read('main')).toEqual({ root: 4 })
    })
  })

  test('is copied before it is brought up to date, once', () => {
    store.floors.raise('main', { root: 3 })
    store[Symbol.dispose]()
    writeFileSync(`${databasePathOf(directory)}.schema-1`, 'of long ago')
    {
      using raw = new DatabaseSync(databasePathOf(directory))
      raw.exec(
        'ALTER TABLE ban DROP COLUMN bundle; DROP TABLE uploaded; DROP TABLE activation; PRAGMA user_version = 7',
      )
    }
    store = openStore(directory)
    reopen()
    expect(readdirSync(directory).filter((name) => name.includes('.schema-'))).toEqual(['agent.db.schema-7'])
    using copy = new DatabaseSync(`${databasePathOf(directory)}.schema-7`)
    expect(copy.prepare('PRAGMA user_version').get()).toEqual({ user_version: 7 })
    expect(copy.prepare('SELECT version FROM floor').get()).toEqual({ version: 3 })
  })

  test('a row that cannot be understood', () => {
    store.checks.decided({ product: ACME, at: AT, available: undefined, rules: [], signers: [], threshold: 1 })
    {
      using raw = new DatabaseSync(databasePathOf(directory))
      raw.exec(`UPDATE decision SET rules = '[{"rule":'`)
    }
    expect(refusalOf(() => store.checks.decision(ACME))).toMatchObject({ code: 'STATE_DAMAGED' })
  })
})

describe('what a damaged database must not take with it', () => {
  const remembered = () => join(directory, 'remembered.json')
  const fillStore = () => {
    store.floors.raise('main', { root: 3, acme: 7 })
    store.wishes.hold(ACME, { since: AT, until: undefined })
    store.wishes.judge(ACME, parseReleaseVersion('1.2.0'), 'skipped', AT)
    store.badMarks.put(mark('1.1.0'))
    store.journal.enter(release('1.1.0'), 'downloading', AT)
  }
  const expectRemembered = () => {
    expect(store.floors.read('main')).toEqual({ root: 3, acme: 7 })
    expect(store.wishes.of(ACME)).toEqual({
      hold: { since: AT, until: undefined },
      verdicts: new Map([['1.2.0', 'skipped']]),
    })
    expect(store.badMarks.all(ACME)).toEqual([mark('1.1.0')])
  }
  const without = (path: string) => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  }
  const damage: Record<string, (path: string) => void> = {
    'torn in the middle': (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
    'cut to nothing': (path) => truncateSync(path, 0),
    'a page of something else': (path) => {
      const bytes = readFileSync(path)
      writeFileSync(path, bytes.fill(0xa5, 4_096, 8_192))
    },
    'something else entirely': (path) => writeFileSync(path, 'not a database'.repeat(500)),
    gone: without,
  }

  test.each(Object.keys(damage))('%s: the second copy brings it back', (name) => {
    fillStore()
    store[Symbol.dispose]()
    damage[name]?.(databasePathOf(directory))
    store = openStore(directory)
    expectRemembered()
    expect(store.lost?.code).toBe(name === 'gone' ? undefined : 'STATE_DAMAGED')
    expect(readdirSync(directory).includes('agent.db.damaged')).toBe(name !== 'gone')
    expect(store.journal.open(ACME)).toBeUndefined()
    expect(reopen().lost).toBeUndefined()
    expectRemembered()
  })

  test('a database that lost its last commits, or comes from a backup, gets its floors back, and no lower ones', () => {
    fillStore()
    store[Symbol.dispose]()
    {
      using raw = new DatabaseSync(databasePathOf(directory))
      raw.exec(`UPDATE floor SET version = 2 WHERE role = 'root'; UPDATE floor SET version = 9 WHERE role = 'acme'`)
    }
    store = openStore(directory)
    expect(store.floors.read('main')).toEqual({ root: 3, acme: 9 })
  })

  test('what was taken back is not remembered', () => {
    fillStore()
    store.wishes.unhold(ACME)
    store.badMarks.lift(ACME, parseReleaseVersion('1.1.0'))
    store[Symbol.dispose]()
    without(databasePathOf(directory))
    store = openStore(directory)
    expect(store.wishes.of(ACME).hold).toBeUndefined()
    expect(store.badMarks.all(ACME)).toEqual([])
  })

  test('a copy that is damaged is made anew, and is an error only where the database is lost as well', () => {
    fillStore()
    store[Symbol.dispose]()
    const text = readFileSync(remembered(), 'utf8')
    for (const damaged of ['', '{}', text.slice(0, 50), text.replace('"version":7', '"version":6')]) {
      writeFileSync(remembered(), damaged)
      openStore(directory)[Symbol.dispose]()
      expect(readFileSync(remembered(), 'utf8')).toBe(text)
    }
    without(databasePathOf(directory))
    writeFileSync(remembered(), text.replace('"version":7', '"version":6'))
    expect(refusalOf(() => openStore(directory))).toMatchObject({ code: 'STATE_DAMAGED' })
    expect(readdirSync(directory)).not.toContain('agent.db')
    writeFileSync(remembered(), text)
    store = openStore(directory)
    expectRemembered()
  })

  test('is written only when it changes, and not before it is durable', () => {
    fillStore()
    const before = statSync(remembered()).ino
    store.floors.raise('main', { root: 2 })
    store.journal.end(ACME, 'failed', AT)
    refusalOf(() =>
      store.transaction(() => {
        store.floors.raise('main', { root: 8 })
        throw new Error('no')
      }),
    )
    expect(statSync(remembered()).ino).toBe(before)
    store.floors.raise('main', { root: 8 })
    expect(readFileSync(remembered(), 'utf8')).toContain('"version":8')
  })
})

describe('opening', () => {
  test('a creation that was killed leaves no database, and the next one succeeds', () => {
    store[Symbol.dispose]()
    rmSync(databasePathOf(directory))
    writeFileSync(`${databasePathOf(directory)}.new`, 'half')
    store = openStore(directory)
    store.floors.raise('main', { root: 1 })
    expect(readdirSync(directory).filter((name) => name.includes('.new'))).toEqual([])
  })

  test('a reader sees what was committed and can write nothing', () => {
    store.floors.raise('main', { root: 2 })
    using reader = openStore(directory, { readOnly: true })
    expect(reader.floors.read('main')).toEqual({ root: 2 })
    expect(refusalOf(() => reader.floors.raise('main', { root: 9 }))).toMatchObject({ code: 'PERMISSION' })
    expect(store.floors.read('main')).toEqual({ root: 2 })
  })

  test('a database held by somebody else is locked, not damaged', () => {
    store[Symbol.dispose]()
    const raw = new DatabaseSync(databasePathOf(directory))
    try {
      raw.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
      expect(refusalOf(() => openStore(directory, { busyTimeoutMs: 10 }))).toMatchObject({ code: 'LOCKED' })
    } finally {
      raw.close()
    }
    store = openStore(directory)
  })
})

describeWith([needsRoot], 'a full disk', () => {
  let small = ''
  const sizeKib = 512

  beforeEach(() => {
    small = mkdtempSync(join(tmpdir(), 'updraft-full-'))
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKib}k`, 'tmpfs', small])
  })
  afterEach(() => {
    spawnSync('umount', [small])
    rmSync(small, { recursive: true })
  })

  test('is said to be full, and nothing is half written', () => {
    using full = openStore(small)
    const error = refusalOf(() => {
      for (let index = 0; index < 10_000; index += 1) full.events.append({ kind: 'check', source: 'x'.repeat(500) }, AT)
    })
    expect(error).toMatchObject({ code: 'DISK_FULL', hint: expect.any(String) })
    expect(full.events.after(0, 100_000)).toHaveLength(full.events.cursor())
  })

  test('that fills up at any moment leaves a database that works once there is room', () => {
    const rest = join(small, 'rest')
    for (let freeKib = 0; freeKib <= sizeKib; freeKib += 16) {
      writeFileSync(rest, new Uint8Array((sizeKib - freeKib) * 1_024))
      const error = refusalOf(() => {
        using full = openStore(small)
        for (let index = 0; index < 20; index += 1) full.floors.raise(`source ${index}`, { root: index + 1 })
      })
      if (error !== undefined) expect(error).toMatchObject({ code: 'DISK_FULL' })
      rmSync(rest)
      {
        using again = openStore(small)
        if (error === undefined) expect(again.floors.read('source 19')).toEqual({ root: 20 })
        again.floors.raise('main', { root: 1 })
      }
      for (const name of readdirSync(small)) rmSync(join(small, name))
    }
  })
})
