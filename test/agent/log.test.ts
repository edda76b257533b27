// The log: lines for people, or one JSON object per line, and what happened told once.
import { expect, test } from '@jest/globals'
import { eventLogger, isJournal, openLog } from '@updraft/agent/log'
import type { AgentEvent, Update } from '@updraft/core/control/api'

const logging = (json: boolean) => {
  const lines: string[] = []
  const log = openLog({ json, write: (line) => lines.push(line) })
  const onEvent = eventLogger(log)
  let cursor = 0
  const tell = (event: AgentEvent) => {
    cursor += 1
    onEvent({ cursor, at: 't', event })
  }
  return { log, lines, tell }
}

const update: Update = {
  version: '1.1.0',
  state: 'downloading',
  haveBytes: 0,
  totalBytes: 2_048,
  bytes: { peers: 1_024, origin: 0, reused: 1_024 },
  peers: 0,
  startedAt: 't',
}

test('lines for people have the time, the level, the product, and the hint on a line of its own', () => {
  const { log, lines } = logging(false)
  log.warn('no answer', { product: 'acme', hint: 'try again later' })
  expect(lines.join('')).toMatch(/^\d\d:\d\d:\d\d warn {2}acme: no answer\n {15}hint: try again later\n$/)
})

test('the stack of a defect is shown, as lines and as JSON', () => {
  const people = logging(false)
  people.log.error('a defect', { error: new TypeError('x is undefined') })
  expect(people.lines.join('')).toContain('log.test.ts')
  const machines = logging(true)
  machines.log.error('a defect', { error: new TypeError('x is undefined') })
  expect(JSON.parse(machines.lines.join(''))).toMatchObject({
    level: 'error',
    message: 'a defect',
    error: { type: 'TypeError', message: 'x is undefined', stack: expect.stringContaining('log.test.ts') },
  })
})

test('a state is told once, however often its progress is', () => {
  const { lines, tell } = logging(false)
  for (const haveBytes of [0, 1, 2]) tell({ kind: 'update', product: 'acme', update: { ...update, haveBytes } })
  tell({ kind: 'update', product: 'acme', update: { ...update, state: 'verifying' } })
  tell({ kind: 'update', product: 'acme', update: { ...update, state: 'committed', endedAt: 't' } })
  expect(lines.map((line) => line.slice(15).trim())).toEqual([
    'acme: downloading 1.1.0',
    'acme: verifying 1.1.0',
    'acme: updated to 1.1.0: 1.0 KiB from peers, 0 B from the origin, 1.0 KiB reused',
  ])
})

test('findings are logged as bad as they are, and looks that found nothing not at all', () => {
  const { lines, tell } = logging(true)
  const finding = { message: 'm', hint: '', since: 't' }
  tell({ kind: 'check', source: 'main' })
  tell({ kind: 'finding', product: 'acme', finding: { ...finding, code: 'metadata-rollback', severity: 'error' } })
  tell({ kind: 'finding', product: 'acme', finding: { ...finding, code: 'root-on-first-use', severity: 'info' } })
  tell({ kind: 'idle', product: 'acme' })
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'error', finding: 'metadata-rollback' },
    { level: 'info', finding: 'root-on-first-use' },
  ])
})

test('for the journal each line has its priority, and no time of its own', () => {
  const lines: string[] = []
  const log = openLog({ json: false, journal: true, write: (line) => lines.push(line) })
  log.warn('no answer', { product: 'acme', hint: 'try again later' })
  log.error('two\nlines')
  log.info('agent stops')
  expect(lines.join('')).toBe('<4>acme: no answer\n<4>hint: try again later\n<3>two\n<3>lines\n<6>agent stops\n')
})

test('the journal is known by the file that systemd names, not by being run by systemd', () => {
  expect(isJournal({ JOURNAL_STREAM: '9:1234' }, { dev: 9, ino: 1234 })).toBe(true)
  expect(isJournal({ JOURNAL_STREAM: '9:1234' }, { dev: 9, ino: 1235 })).toBe(false)
  expect(isJournal({}, { dev: 9, ino: 1234 })).toBe(false)
})
