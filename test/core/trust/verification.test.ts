// What each level does with each finding: the table in the code, and that the threat model has the same one.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FINDINGS, type FindingCode } from '@updraft/core/trust/finding'
import { actionOn, severityAt, VALIDATIONS, VERIFICATION_LEVELS } from '@updraft/core/trust/verification'

const CODES = Object.keys(FINDINGS) as FindingCode[]

test('no level lets in what is wrongly signed', () => {
  const integrity = CODES.filter((code) => VALIDATIONS[code] === 'integrity')
  expect(integrity).toEqual([
    'root-unknown',
    'metadata-untrusted',
    'metadata-rollback',
    'metadata-policy',
    'release-invalid',
    'bundle-tampered',
  ])
  for (const level of VERIFICATION_LEVELS) for (const code of integrity) expect(actionOn(code, level)).toBe('enforced')
})

test('a stricter level enforces all that a milder one does', () => {
  const enforced = VERIFICATION_LEVELS.map((level) => CODES.filter((code) => actionOn(code, level) === 'enforced'))
  const [strict = [], permissive = [], audit = []] = enforced
  expect(strict).toEqual(expect.arrayContaining(permissive))
  expect(permissive).toEqual(expect.arrayContaining(audit))
  expect([strict.length, permissive.length, audit.length]).toEqual([11, 8, 6])
})

test('what is only told is no error', () => {
  for (const level of VERIFICATION_LEVELS) {
    for (const code of CODES) if (severityAt(code, level) === 'error') expect(actionOn(code, level)).toBe('enforced')
  }
})

describe('docs/threat-model.md', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/threat-model.md'), 'utf8')
  const section = text.split(/^## /m).find((part) => part.startsWith('Verification levels\n')) ?? ''
  const rows = [...section.matchAll(/^\| `([a-z-]+)` \| ([a-z -]+) \| (\w+) \| (\w+) \| (\w+) \|$/gm)].map((row) =>
    row.slice(1),
  )

  test('has the table as it is', () => {
    expect(rows).toEqual(
      CODES.map((code) => [code, VALIDATIONS[code], ...VERIFICATION_LEVELS.map((level) => actionOn(code, level))]),
    )
  })
})
