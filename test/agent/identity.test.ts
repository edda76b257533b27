// What follows from who signed, by level: whom it is enough to know, what is told, and what stops updates.
import { describe, expect, test } from '@jest/globals'
import { identify } from '@updraft/agent/identity'
import type { VerificationLevel } from '@updraft/core/trust/verification'
import { authority, certify, identityOf, publicKeyIn } from '../support/certificates.ts'
import { ed25519Key, keysOf, type SimulatedKey } from '../support/repository-simulator.ts'

const ca = authority('Acme CA')
const [one, two, three] = [ed25519Key(), ed25519Key(), ed25519Key()]
const leaf = (key: SimulatedKey, name: string, to = '2099-01-01T00:00:00Z') =>
  certify(name, { publicKey: publicKeyIn(key), issuer: ca, to })
const merged = (...identities: readonly ReturnType<typeof identityOf>[]) => ({
  schema: 1,
  certificates: Object.assign({}, ...identities.map(({ certificates }) => certificates)),
})
const EXPIRED = '2026-01-01T00:00:00Z'
const GOOD_ONE = identityOf(one, [leaf(one, 'One')])
const GOOD_TWO = identityOf(two, [leaf(two, 'Two')])
const OLD_TWO = identityOf(two, [leaf(two, 'Two', EXPIRED)])

interface Given {
  readonly signers?: readonly SimulatedKey[]
  readonly threshold?: number
  readonly level?: VerificationLevel
  readonly installed?: readonly string[]
  readonly pinned?: boolean
}

const judge = (
  identity: unknown,
  { signers = [one, two], threshold = 1, level = 'strict', installed = [], pinned = true }: Given = {},
) => {
  const { findings, refusal, ...rest } = identify({
    role: {
      role: 'acme',
      identity,
      keys: keysOf([one, two, three]),
      signers: signers.map(({ keyId }) => keyId),
      threshold,
    },
    authorities: pinned ? [ca.certificate] : [],
    level,
    installedSigners: installed.map((name) => ({ keyId: 'a'.repeat(64), name, authority: 'Acme CA' })),
    now: new Date('2026-06-01T00:00:00Z'),
  })
  return {
    ...rest,
    told: findings.map(({ code, severity }) => `${code} ${severity}`),
    refusal: refusal?.code,
  }
}

test('without a pinned authority nobody is asked', () => {
  expect(judge(undefined, { pinned: false })).toEqual({
    signers: [{ keyId: one.keyId }, { keyId: two.keyId }],
    told: [],
    refusal: undefined,
    change: undefined,
  })
})

describe('as many as have to sign have to be known', () => {
  test.each<[string, unknown, Given, readonly string[], string | undefined]>([
    ['one of one', GOOD_ONE, { signers: [one] }, [], undefined],
    ['one of two who signed, where one is enough', GOOD_ONE, {}, [], undefined],
    ['one of two who had to sign', GOOD_ONE, { threshold: 2 }, ['identity-unknown error'], 'IDENTITY_UNTRUSTED'],
    ['both', merged(GOOD_ONE, GOOD_TWO), { threshold: 2 }, [], undefined],
    ['nobody', undefined, {}, ['identity-unknown error'], 'IDENTITY_UNTRUSTED'],
    ['nobody, at the least level', undefined, { level: 'audit' }, ['identity-unknown warning'], undefined],
    [
      'one, the other of yesterday',
      merged(GOOD_ONE, OLD_TWO),
      { threshold: 2 },
      ['identity-expired error'],
      'IDENTITY_UNTRUSTED',
    ],
    [
      'the same, more mildly',
      merged(GOOD_ONE, OLD_TWO),
      { threshold: 2, level: 'permissive' },
      ['identity-expired warning'],
      undefined,
    ],
    [
      'a stranger, mildly',
      OLD_TWO,
      { signers: [three], level: 'permissive' },
      ['identity-unknown error'],
      'IDENTITY_UNTRUSTED',
    ],
  ])('%s', (_, identity, given, told, refusal) => {
    expect(judge(identity, given)).toMatchObject({ told, refusal })
  })
})

describe('a certificate that is over within a week', () => {
  const SOON = '2026-06-05T00:00:00Z'
  const soon = identityOf(one, [leaf(one, 'One', SOON)])
  test.each<[string, unknown, Given, readonly string[]]>([
    ['is told while it is needed', soon, { signers: [one] }, ['identity-expiring info']],
    ['is told at the least level as well', soon, { signers: [one], level: 'audit' }, ['identity-expiring info']],
    ['is not told while enough others sign', merged(soon, GOOD_TWO), {}, []],
    ['is told if all of them have to', merged(soon, GOOD_TWO), { threshold: 2 }, ['identity-expiring info']],
    [
      'is not told of one that is good for longer',
      identityOf(one, [leaf(one, 'One', '2026-06-09T00:00:00Z')]),
      { signers: [one] },
      [],
    ],
    ['is not told of what is over', OLD_TWO, { signers: [two], level: 'permissive' }, ['identity-expired warning']],
  ])('%s', (_, identity, given, told) => {
    expect(judge(identity, given)).toMatchObject({ told, refusal: undefined })
  })
})

test('names are given only to those whom the authority vouches for', () => {
  expect(judge(GOOD_ONE).signers).toEqual([
    { keyId: one.keyId, name: 'One', authority: 'Acme CA', validUntil: '2099-01-01T00:00:00.000Z' },
    { keyId: two.keyId },
  ])
})

describe('who signed the version in use', () => {
  test.each<[string, readonly string[], VerificationLevel, readonly string[], boolean | undefined]>([
    ['is among those who sign now', ['Zero', 'One'], 'strict', [], undefined],
    ['is not known', [], 'strict', [], undefined],
    ['is somebody else', ['Zero'], 'strict', ['identity-changed error'], true],
    ['is somebody else, which is only told', ['Zero'], 'audit', ['identity-changed warning'], false],
  ])('%s', (_, installed, level, told, isEnforced) => {
    const judged = judge(GOOD_ONE, { signers: [one], installed, level })
    expect([judged.told, judged.change?.isEnforced, judged.refusal]).toEqual([told, isEnforced, undefined])
  })
})
