// The origin's log: what a line looks like, and that nobody from outside can write one.
import { describe, expect, test } from '@jest/globals'
import { UpdateError } from '@updraft/core/errors'
import { openLog } from '../../publisher/src/origin/log.ts'

const logged = (json: boolean, write: (log: ReturnType<typeof openLog>) => void): readonly string[] => {
  const lines: string[] = []
  write(openLog({ json, stream: { write: (line: string) => lines.push(line) } }))
  return lines
}

const FAILURE = new UpdateError('PORT_IN_USE', 'port 1 is in use', { hint: 'choose another' })

describe('for people', () => {
  test('time, level, message, error with its hint, and values', () => {
    const [line] = logged(false, (log) => log.warn({ err: FAILURE, roles: ['a'], path: 'x y' }, 'it failed'))
    expect(line).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warn {2}it failed: port 1 is in use \(choose another\) roles="\[\\"a\\"\]" path="x y"\n$/,
    )
  })

  test('only a defect of ours shows where it happened', () => {
    const [known = '', defect = ''] = logged(false, (log) => {
      log.error({ err: FAILURE }, 'known')
      log.error({ err: new TypeError('oops') }, 'defect')
    })
    expect(known).not.toContain('    at ')
    expect(defect).toContain('    at ')
  })

  test('what comes from outside can neither begin a line nor move the cursor', () => {
    const evil = 'x\n2026-01-01T00:00:00.000Z error forged\u001b[2J\u009b1A'
    const lines = logged(false, (log) => {
      log.info({ path: evil }, evil)
      log.info({ err: new UpdateError('IO', evil, { hint: evil }) }, 'failed')
    })
    const isControl = (character: string) => character < ' ' || (character >= '\u007f' && character <= '\u009f')
    expect(lines.map((line) => [...line].filter(isControl))).toEqual([['\n'], ['\n']])
  })

  test('debug lines only when asked for', () => {
    expect(logged(false, (log) => log.debug('quiet'))).toEqual([])
  })
})

test('for collectors: one JSON object a line, with the code of the error', () => {
  const [line = ''] = logged(true, (log) => log.error({ err: FAILURE }, 'it failed'))
  expect(JSON.parse(line)).toMatchObject({ level: 'error', msg: 'it failed', err: { code: 'PORT_IN_USE' } })
})
