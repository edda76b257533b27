// Which notifications there are to tell: each thing once, by what it is about.
import { describe, expect, test } from '@jest/globals'
import type { ReportedFinding } from '@updraft/core/trust/finding'
import { noticesOf } from '../../extension/src/notices.ts'
import { NOTHING_KNOWN, reduce } from '../../extension/src/state.ts'
import { productOf, statusOf, updateOf } from './control-server.ts'

type Products = Parameters<typeof statusOf>[0]

const told = (...products: Products) =>
  noticesOf(reduce(NOTHING_KNOWN, { kind: 'status', status: statusOf(products), socketPath: '/s' }))
const kinds = (...products: Products) => told(...products).map(({ kind }) => kind)
const keys = (...products: Products) => told(...products).map(({ key }) => key)

const finding = (changes: Partial<ReportedFinding> = {}): ReportedFinding => ({
  code: 'metadata-untrusted',
  severity: 'error',
  message: 'm',
  hint: '',
  since: '2026-03-03T10:00:00.000Z',
  ...changes,
})
const withFindings = (...findings: readonly ReportedFinding[]) =>
  productOf('acme', { trust: { level: 'untrusted', signers: [], threshold: 1, findings } })

describe('what is told', () => {
  test('a quiet product is no news', () => {
    expect(kinds(productOf('acme'))).toEqual([])
  })

  test('errors before warnings, and what is only to know not at all', () => {
    const findings = [
      finding({ code: 'root-on-first-use', severity: 'info' }),
      finding({ code: 'metadata-expired', severity: 'warning' }),
      finding(),
    ]
    expect(kinds(withFindings(...findings))).toEqual(['blocked', 'warnings'])
  })

  test('a version that waits for approval', () => {
    const decision = [{ rule: 'approved', passed: false, detail: 'waits', version: '1.1.0' }]
    expect(kinds(productOf('acme', { decision }))).toEqual(['approvals'])
  })

  test('not what somebody else has signed: that is told as a refusal, and approved only by who has read it', () => {
    const decision = ['approved', 'same-signer'].map((rule) => ({
      rule,
      passed: false,
      detail: 'waits',
      version: '1.1.0',
    }))
    const product = withFindings(finding({ code: 'identity-changed', message: 'it was A; now it is B' }))
    expect(kinds({ ...product, decision })).toEqual(['blocked'])
  })

  test('not a version that was skipped', () => {
    const decision = [{ rule: 'not-skipped', passed: false, detail: 'skipped', version: '1.1.0' }]
    expect(kinds(productOf('acme', { decision }))).toEqual([])
  })

  test('a version that was installed', () => {
    expect(kinds(productOf('acme', { update: updateOf({ version: '1.0.0', state: 'committed' }) }))).toEqual([
      'installed',
    ])
  })
})

describe('the same thing is the same notice', () => {
  test('a refusal, when it goes and comes back for the same version', () => {
    const again = finding({ since: '2026-03-04T10:00:00.000Z', message: 'other words' })
    expect(keys(withFindings(again))).toEqual(keys(withFindings(finding())))
  })

  test('not a refusal of another version', () => {
    const next = { ...withFindings(finding()), available: { version: '1.2.0', published: '' } }
    expect(keys(next)).not.toEqual(keys(withFindings(finding())))
  })

  test('not a warning that begins again', () => {
    const warning = finding({ code: 'metadata-expired', severity: 'warning' })
    const later = { ...warning, since: '2026-03-04T10:00:00.000Z' }
    expect(keys(withFindings(later))).not.toEqual(keys(withFindings(warning)))
  })

  test('not that of another product, whatever the names', () => {
    const [a, b] = ['x","y', 'x'].map((name) => ({ ...withFindings(finding()), name }))
    expect(new Set(keys(...[a, b].flatMap((each) => each ?? []))).size).toBe(2)
  })
})
