// The vocabulary of findings: closed for those who make them, open for those who read what a newer agent says.
import { describe, expect, test } from '@jest/globals'
import { eventSchema, statusSchema } from '@updraft/core/control/api'
import { FINDINGS, findingSchema, isFindingCode, titleOfFinding, trustLevelOf } from '@updraft/core/trust/finding'

const unknown = { code: 'root-compromised', severity: 'error', message: 'm', hint: 'h', since: 's' }

describe('a finding on the wire', () => {
  test('may have a code that was added later, and its severity still counts', () => {
    const finding = findingSchema.parse(unknown)
    expect(finding).toEqual(unknown)
    expect(trustLevelOf([finding])).toBe('untrusted')
  })

  test('has a severity that is known, for nothing else says how bad it is', () => {
    expect(findingSchema.safeParse({ ...unknown, severity: 'catastrophe' }).success).toBe(false)
  })

  test('with an unknown code costs neither the status nor the event', () => {
    const product = {
      name: 'acme',
      source: 'main',
      channel: 'stable',
      platform: 'any',
      decision: [],
      trust: { level: 'untrusted', signers: [], threshold: 1, findings: [unknown] },
      seeding: { releases: 0, peers: 0, uploadedBytes: 0 },
    }
    const agent = { version: '9.0.0', pid: 1, hostname: 'h', home: '/h', startedAt: 't', swarmPort: 1 }
    const status = { apiVersion: 1, agent, sources: [], products: [product], cursor: 3 }
    expect(statusSchema.parse(status).products[0]?.trust.findings).toEqual([unknown])
    expect(eventSchema.parse({ kind: 'finding', product: 'acme', finding: unknown })).toMatchObject({
      finding: unknown,
    })
  })
})

describe('the name of a finding', () => {
  test.each(Object.entries(FINDINGS))('%s has one', (code, { title }) => {
    expect(isFindingCode(code)).toBe(true)
    expect(titleOfFinding(code)).toBe(title)
  })

  test.each(['root-compromised', 'constructor', ''])('%j is not known, and says so', (code) => {
    expect(isFindingCode(code)).toBe(false)
    expect(titleOfFinding(code)).toBe('something that this version has no name for yet')
  })
})
