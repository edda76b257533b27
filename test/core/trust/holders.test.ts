// Who holds a key, as far as a pinned authority vouches for it: each way in which a certificate can fail to say so.
import type { X509Certificate } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { type Holder, holdersOf } from '@updraft/core/trust/holders'
import {
  authority,
  type CertificateOptions,
  type CertifiedKey,
  certify,
  DIGITAL_SIGNATURE,
  identityOf,
  KEY_CERT_SIGN,
  publicKeyIn,
  revocationList,
} from '../../support/certificates.ts'
import { ed25519Key, keysOf, rsaKey } from '../../support/repository-simulator.ts'

const NOW = new Date('2026-06-01T00:00:00Z')
const key = ed25519Key()
const ca = authority()
const leafBy = (issuer: CertifiedKey, options: CertificateOptions = {}): CertifiedKey =>
  certify('Acme Releases', { publicKey: publicKeyIn(key), issuer, keyUsage: DIGITAL_SIGNATURE, ...options })

const judge = (
  identity: unknown,
  { pinned = [ca], now = NOW }: { readonly pinned?: readonly CertifiedKey[]; readonly now?: Date } = {},
): Holder | undefined =>
  holdersOf(
    { role: 'acme', identity, keys: keysOf([key]), signers: [key.keyId], threshold: 1 },
    pinned.map(({ certificate }): X509Certificate => certificate),
    now,
  )[0]
const codes = (holder: Holder | undefined): readonly string[] => holder?.faults.map(({ code }) => code) ?? ['no holder']
const messages = (holder: Holder | undefined): string => holder?.faults.map(({ message }) => message).join('; ') ?? ''

describe('a good certificate', () => {
  const middle = authority('Acme Issuing', { issuer: ca, pathLength: 0 })
  test.each<[string, readonly CertifiedKey[], readonly CertifiedKey[]]>([
    ['issued by a pinned authority', [leafBy(ca)], [ca]],
    ['with the authority in the chain', [leafBy(ca), ca], [ca]],
    ['by way of another authority', [leafBy(middle), middle], [ca]],
    ['by an authority in the middle that is pinned itself', [leafBy(middle), middle, ca], [middle]],
    ['for signing code', [leafBy(ca, { extendedKeyUsage: ['1.3.6.1.5.5.7.3.3'] })], [ca]],
    ['with one of several pinned', [leafBy(ca)], [authority('Other CA'), ca]],
  ])('%s names the holder', (_, chain, pinned) => {
    const holder = judge(identityOf(key, chain), { pinned })
    expect(holder).toMatchObject({ name: 'Acme Releases', authority: pinned.at(-1)?.name, faults: [] })
  })

  test('says whose organization the holder is of, and until when all of it is valid', () => {
    const expiring = authority('Acme CA', { to: '2030-01-01T00:00:00Z' })
    const leaf = leafBy(expiring, { organization: 'Acme GmbH', to: '2040-01-01T00:00:00Z' })
    expect(judge(identityOf(key, [leaf]), { pinned: [expiring] })).toMatchObject({
      organization: 'Acme GmbH',
      validUntil: new Date('2030-01-01T00:00:00Z'),
    })
    expect(judge(identityOf(key, [leafBy(ca)]))).toMatchObject({ organization: undefined })
  })

  test('may be for any kind of key that signs', () => {
    const rsa = rsaKey(3_072)
    const leaf = leafBy(ca, { publicKey: publicKeyIn(rsa) })
    const role = { role: 'acme', keys: keysOf([rsa]), signers: [rsa.keyId], threshold: 1 }
    const [holder] = holdersOf({ ...role, identity: identityOf(rsa, [leaf]) }, [ca.certificate], NOW)
    expect(holder).toMatchObject({ name: 'Acme Releases', faults: [] })
  })
})

describe('a key has no holder that is known', () => {
  const stranger = authority('Acme CA') // The same name, another key.
  const noAuthority = certify('Acme CA', { keyUsage: DIGITAL_SIGNATURE })
  const short = authority('Short', { issuer: ca, pathLength: 0 })
  const below = authority('Below', { issuer: short })
  test.each<[string, unknown, RegExp, (readonly CertifiedKey[])?]>([
    ['if nothing was signed about it', undefined, /nothing is signed/],
    ['if nothing was signed about this key', identityOf(ed25519Key(), [leafBy(ca)]), /nothing is signed/],
    ['if what was signed is malformed', { schema: 2 }, /malformed/],
    ['if a certificate is none', { schema: 1, certificates: { [key.keyId]: ['AAAA'] } }, /cannot be read/],
    ['if the certificate is for another key', identityOf(key, [certify('X', { issuer: ca })]), /another key/],
    ['if an authority of the same name issued it', identityOf(key, [leafBy(stranger), stranger]), /no authority/],
    ['if no authority is pinned that it leads to', identityOf(key, [leafBy(ca)]), /no authority/, [stranger]],
    ['if the holder made it alone', identityOf(key, [leafBy(noAuthority), noAuthority]), /no authority/, [noAuthority]],
    ['if a link of the chain is missing', identityOf(key, [leafBy(below), short]), /no authority/],
    [
      'if an authority has more below it than it may',
      identityOf(key, [leafBy(below), below, short]),
      /fewer authorities/,
    ],
    ['if the key may not sign', identityOf(key, [leafBy(ca, { keyUsage: KEY_CERT_SIGN })]), /not for signing/],
    [
      'if it is for a web server',
      identityOf(key, [leafBy(ca, { extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'] })]),
      /not for signing/,
    ],
    ['if it demands what nobody knows', identityOf(key, [leafBy(ca, { unknownCritical: '1.2.3.4' })]), /1\.2\.3\.4/],
  ])('%s', (_, identity, why, pinned = [ca]) => {
    const holder = judge(identity, { pinned })
    expect([holder?.name, codes(holder)]).toEqual([undefined, ['identity-unknown']])
    expect(messages(holder)).toMatch(why)
  })

  test('if a byte of the certificate is another', () => {
    const raw = Buffer.from(leafBy(ca).certificate.raw)
    for (let at = 0; at < raw.length; at += 1) {
      const altered = Buffer.from(raw)
      altered[at] = (altered[at] ?? 0) ^ 1
      const holder = judge({ schema: 1, certificates: { [key.keyId]: [altered.toString('base64')] } })
      expect([at, codes(holder)]).toEqual([at, ['identity-unknown']])
    }
  })
})

describe('dates', () => {
  const leaf = leafBy(ca, { from: '2026-01-01T00:00:00Z', to: '2026-12-31T00:00:00Z' })
  test.each([
    ['2025-12-31T23:59:59Z', /valid only from/],
    ['2026-12-31T00:00:00Z', /expired at 2026-12-31/],
  ])('at %s it is not valid', (at, why) => {
    const holder = judge(identityOf(key, [leaf]), { now: new Date(at) })
    expect([holder?.name, codes(holder)]).toEqual(['Acme Releases', ['identity-expired']])
    expect(messages(holder)).toMatch(why)
  })
  test.each(['2026-01-01T00:00:00Z', '2026-12-30T23:59:59Z'])('at %s it is', (at) => {
    expect(codes(judge(identityOf(key, [leaf]), { now: new Date(at) }))).toEqual([])
  })
  test('those of the authority count as well', () => {
    const old = authority('Old CA', { to: '2026-02-01T00:00:00Z' })
    expect(codes(judge(identityOf(key, [leafBy(old)]), { pinned: [old] }))).toEqual(['identity-expired'])
  })
})

describe('revocation', () => {
  const middle = authority('Acme Issuing', { issuer: ca, serial: 3 })
  const namesake = authority('Acme CA')
  const chain = [leafBy(ca)]
  test.each<[string, unknown, readonly string[]]>([
    ['a list of its authority names it', identityOf(key, chain, [revocationList(ca, [1, 7])]), ['identity-revoked']],
    [
      'a list names the authority between',
      identityOf(key, [leafBy(middle), middle], [revocationList(ca, [3])]),
      ['identity-revoked'],
    ],
    ['a list names others', identityOf(key, chain, [revocationList(ca, [1]), revocationList(ca, [])]), []],
    ['a list of another authority has its number', identityOf(key, chain, [revocationList(middle, [7])]), []],
    ['a list that only claims to be its authority', identityOf(key, chain, [revocationList(namesake, [7])]), []],
    ['a list that cannot be read', identityOf(key, chain, [Buffer.from('3003020101', 'hex')]), ['identity-revoked']],
    ['a list of a part', identityOf(key, chain, [revocationList(ca, [], { isPartial: true })]), ['identity-revoked']],
  ])('%s', (_, identity, expected) => {
    expect(codes(judge(identity))).toEqual(expected)
  })
})
