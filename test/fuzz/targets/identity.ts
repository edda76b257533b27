// Who holds a product's keys, as targets.json says it: the field itself, certificates in it, and revocation lists.
import assert from 'node:assert/strict'
import type { ErrorCode } from '@updraft/core/errors'
import { holdersOf } from '@updraft/core/trust/holders'
import { parseRevocationList } from '@updraft/core/trust/revocation-list'
import {
  authority,
  certify,
  DIGITAL_SIGNATURE,
  identityOf,
  publicKeyIn,
  revocationList,
} from '../../support/certificates.ts'
import { ed25519Key, keysOf } from '../../support/repository-simulator.ts'
import { choosing, chosen, type Target, unlessRefused } from '../target.ts'

const REFUSALS: readonly ErrorCode[] = ['METADATA_POLICY']

export const identity: Target = {
  what: 'who holds the keys of a product: certificates and revocation lists in the signed metadata',
  words: [
    '"certificates"',
    '"revocationLists"',
    '"schema":1',
    new Uint8Array([0x30, 0x82]),
    new Uint8Array([0x30, 0x80]),
    new Uint8Array([0xa3]),
    new Uint8Array([0x84, 255, 255, 255, 255]),
  ],
  open: async () => {
    const key = ed25519Key()
    const ca = authority()
    const middle = authority('Middle', { issuer: ca, pathLength: 0 })
    const leaf = certify('Leaf', {
      publicKey: publicKeyIn(key),
      issuer: middle,
      keyUsage: DIGITAL_SIGNATURE,
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.3'],
    })
    const list = revocationList(ca, [1, 2, 3])
    const judge = (value: unknown) => {
      const role = { role: 'acme', identity: value, keys: keysOf([key]), signers: [key.keyId], threshold: 1 }
      const [holder] = holdersOf(role, [ca.certificate], new Date('2026-06-01T00:00:00Z'))
      assert.ok(holder !== undefined && (holder.name !== undefined || holder.faults.length > 0))
    }
    const withChain = (first: Uint8Array) => ({
      schema: 1,
      certificates: { [key.keyId]: [first, middle.certificate.raw].map((raw) => Buffer.from(raw).toString('base64')) },
    })
    return {
      seeds: [
        choosing(0, JSON.stringify(identityOf(key, [leaf, middle], [list]))),
        choosing(1, leaf.certificate.raw),
        choosing(1, middle.certificate.raw),
        choosing(2, list),
      ],
      attempt: (input) => {
        const { choice, rest } = chosen(input)
        if (choice % 3 === 1) judge(withChain(rest))
        else if (choice % 3 === 2)
          unlessRefused(REFUSALS, () => parseRevocationList(rest))?.isSignedBy(ca.certificate.publicKey)
        else judge(jsonIn(rest))
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
}

const jsonIn = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined // Metadata that is no JSON is refused long before.
  }
}
