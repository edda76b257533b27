import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import { keyIdOf, publicKeyOf, spkiOf, verifySignature } from '@updraft/core/trust/keys'
import type { TufKey } from '@updraft/core/trust/metadata'
import { isSignedBy, signersOf } from '@updraft/core/trust/signatures'
import { ecdsaKey, ed25519Key, fileOf, keysOf, roleOf, rsaKey } from '../../support/repository-simulator.ts'

const bytes = Buffer.from('what is signed')

describe('canonical JSON', () => {
  test('sorts names, drops white space and escapes only quotes and backslashes', () => {
    expect(canonicalBytes({ b: [1, true, null], a: 'x"\\\n' }).toString()).toBe('{"a":"x\\"\\\\\n","b":[1,true,null]}')
  })

  test('has no form for a float', () => {
    expect(() => canonicalBytes({ a: 1.5 })).toThrow('cannot encode')
  })
})

test('a key id is the SHA-256 of the whole canonical key object', () => {
  // From the TUF on CI test repository, which python-tuf wrote.
  const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: '00'.repeat(32) } }
  expect(keyIdOf(key)).toBe(keyIdOf({ scheme: 'ed25519', keyval: { public: '00'.repeat(32) }, keytype: 'ed25519' }))
  expect(keyIdOf({ ...key, 'x-name': 'somebody' })).not.toBe(keyIdOf(key))
})

describe('the one encoding of a key', () => {
  test.each([
    ['ed25519', () => ed25519Key().key],
    ['ECDSA on P-256', () => ecdsaKey().key],
    ['RSA-PSS with 3,072 bits', () => rsaKey(3_072).key],
    ['ed25519 that is no point of the curve', (): TufKey => ed25519Of('ff'.repeat(32))],
  ])('of %s is what OpenSSL writes', (_, make) => {
    const key = make()
    expect(spkiOf(key)).toBe(publicKeyOf(key).export({ format: 'der', type: 'spki' }).toString('hex'))
  })

  test.each([
    ['upper case', ed25519Of('AB'.repeat(32))],
    ['a digit less', ed25519Of('ab'.repeat(32).slice(1))],
    ['another scheme', { ...ed25519Of('ab'.repeat(32)), scheme: 'ed25519ph' }],
  ])('is refused for %s, as the key is', (_, key) => {
    const refused = expect.objectContaining({ code: 'METADATA_POLICY' })
    expect(() => spkiOf(key)).toThrow(refused)
    expect(() => publicKeyOf(key)).toThrow(refused)
  })

  function ed25519Of(hex: string): TufKey {
    return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: hex } }
  }
})

describe('signatures', () => {
  test.each([
    ['ed25519', () => ed25519Key()],
    ['ECDSA on P-256', () => ecdsaKey()],
    ['RSA-PSS with 3,072 bits', () => rsaKey(3_072)],
  ])('%s verifies its own and nothing else', (_, make) => {
    const key = make()
    const signature = key.sign(bytes)
    expect(verifySignature(key.key, bytes, signature)).toBe(true)
    expect(verifySignature(key.key, Buffer.from('what is altered'), signature)).toBe(false)
    for (const bad of ['', 'zz', 'abc', '00', `${signature}00`, signature.slice(2)]) {
      expect(verifySignature(key.key, bytes, bad)).toBe(false)
    }
  })

  test('a signature under another scheme of the same key does not count', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 3_072 })
    const key: TufKey = {
      keytype: 'rsa',
      scheme: 'rsassa-pss-sha256',
      keyval: { public: publicKey.export({ format: 'pem', type: 'spki' }).toString() },
    }
    expect(verifySignature(key, bytes, sign('sha256', bytes, privateKey).toString('hex'))).toBe(false)
  })

  test('signers are the listed keys whose signature is right, each once', () => {
    const [a, b, stranger] = [ed25519Key(), ed25519Key(), ed25519Key()]
    const metadata = JSON.parse(fileOf({ version: 1 }, [a, b, stranger]).toString())
    metadata.signatures[1].sig = metadata.signatures[0].sig
    const role = { keyids: [a.keyId, a.keyId, b.keyId], threshold: 2 }
    const authority = { role, keys: keysOf([a, b]) }
    expect(signersOf(metadata, authority)).toEqual([a.keyId])
    expect(isSignedBy(metadata, authority)).toBe(false)
    expect(isSignedBy(metadata, { role: roleOf([a]), keys: keysOf([a]) })).toBe(true)
  })

  test('an id that only Object.prototype knows is nobody', () => {
    const key = ed25519Key()
    const metadata = JSON.parse(fileOf({ version: 1 }, [key]).toString())
    metadata.signatures.push({ keyid: 'constructor', sig: '00' })
    expect(signersOf(metadata, { role: { keyids: ['constructor'], threshold: 1 }, keys: keysOf([key]) })).toEqual([])
  })
})

const pem = (key: Parameters<typeof createPublicKey>[0]) =>
  createPublicKey(key).export({ format: 'pem', type: 'spki' }).toString()
const ec = (namedCurve: string) => pem(generateKeyPairSync('ec', { namedCurve }).privateKey)
const rsa = (modulusLength: number, publicExponent = 65_537) =>
  pem(generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey)
const ed25519Private = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()

const REFUSED: readonly [string, Omit<TufKey, 'keyval'>, () => string, RegExp][] = [
  ['RSA labelled ed25519', { keytype: 'ed25519', scheme: 'ed25519' }, () => rsa(3_072), /64 lower-case hex/],
  ['ed25519 in upper case', { keytype: 'ed25519', scheme: 'ed25519' }, () => 'AB'.repeat(32), /64 lower-case hex/],
  ['ed25519 cut short', { keytype: 'ed25519', scheme: 'ed25519' }, () => 'ab'.repeat(31), /64 lower-case hex/],
  ['RSA with 1,024 bits', { keytype: 'rsa', scheme: 'rsassa-pss-sha256' }, () => rsa(1_024), /1024 bits/],
  ['RSA with exponent 3', { keytype: 'rsa', scheme: 'rsassa-pss-sha256' }, () => rsa(3_072, 3), /exponent 3/],
  ['RSA with PKCS#1 v1.5', { keytype: 'rsa', scheme: 'rsa-pkcs1v15-sha256' }, () => rsa(3_072), /not accepted/],
  ['P-256 labelled RSA', { keytype: 'rsa', scheme: 'rsassa-pss-sha256' }, () => ec('P-256'), /of type ec prime256v1/],
  ['P-384', { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256' }, () => ec('P-384'), /of type ec secp384r1/],
  ['P-384 by its name', { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp384' }, () => ec('P-384'), /not accepted/],
  ['secp256k1', { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256' }, () => ec('secp256k1'), /of type ec secp256k1/],
  ['a private key', { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256' }, () => ed25519Private, /BEGIN PUBLIC KEY/],
  ['no PEM', { keytype: 'rsa', scheme: 'rsassa-pss-sha256' }, () => 'key', /BEGIN PUBLIC KEY/],
  [
    'broken PEM',
    { keytype: 'rsa', scheme: 'rsassa-pss-sha256' },
    () => '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
    /not readable PEM/,
  ],
  ['an unknown type', { keytype: 'dsa', scheme: 'dsa' }, () => 'ab', /not accepted/],
]

test.each(REFUSED)('refuses a key: %s', (_, labels, value, message) => {
  const key = { ...labels, keyval: { public: value() } }
  expect(() => publicKeyOf(key)).toThrow(expect.objectContaining({ code: 'METADATA_POLICY' }))
  expect(() => publicKeyOf(key)).toThrow(message)
  expect(verifySignature(key, bytes, '00')).toBe(false)
})

test('an Ed25519 key is the point that was generated', () => {
  const privateKey = createPrivateKey(ed25519Private)
  const x = createPublicKey(privateKey).export({ format: 'jwk' }).x ?? ''
  const key = publicKeyOf({
    keytype: 'ed25519',
    scheme: 'ed25519',
    keyval: { public: Buffer.from(x, 'base64url').toString('hex') },
  })
  expect(key.equals(createPublicKey(privateKey))).toBe(true)
})
