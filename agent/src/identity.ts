// What follows from who signed a product: names for the signers, findings, and whether updates go on, by the verification level
// of the product. Without a pinned authority nobody is asked, and the keys alone count. Pure.
import type { X509Certificate } from 'node:crypto'
import type { Signer } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { FINDINGS } from '@updraft/core/trust/finding'
import { type Holder, holdersOf, type SignedRole } from '@updraft/core/trust/holders'
import { actionOn, severityAt, type VerificationLevel } from '@updraft/core/trust/verification'
import type { NewFinding } from './store/findings.ts'

export interface IdentityFacts {
  readonly role: SignedRole
  readonly authorities: readonly X509Certificate[]
  readonly level: VerificationLevel
  /** Who signed the version in use. */
  readonly installedSigners: readonly Signer[]
  readonly now: Date
}

export interface Identified {
  readonly signers: readonly Signer[]
  readonly findings: readonly NewFinding[]
  /** Why nothing may be updated. */
  readonly refusal: UpdateError | undefined
  /** Nobody who signed the version in use signs now: the owner has to agree to each version, if that is enforced. */
  readonly change: { readonly detail: string; readonly isEnforced: boolean } | undefined
}

export const identify = ({ role, authorities, level, installedSigners, now }: IdentityFacts): Identified => {
  if (authorities.length === 0) {
    return { signers: role.signers.map((keyId) => ({ keyId })), findings: [], refusal: undefined, change: undefined }
  }
  const holders = holdersOf(role, authorities, now)
  const isGood = ({ faults }: Holder) => faults.every(({ code }) => actionOn(code, level) === 'logged')
  const good = holders.filter(isGood)
  const isEnough = good.length >= role.threshold
  // Who is not needed may have any certificate, or none.
  const faults = (isEnough ? good : holders).flatMap((holder) => holder.faults)
  const signers = holders.map(signerOf)
  const change = changeBetween(installedSigners, signers)
  const findings = [
    ...expiringSoon(good, role.threshold, now),
    ...faults.map(({ code, message }) => ({ code, message, hint: HINTS[code], severity: severityAt(code, level) })),
    ...(change === undefined
      ? []
      : [
          {
            code: 'identity-changed' as const,
            message: change,
            hint: HINTS['identity-changed'],
            severity: severityAt('identity-changed', level),
          },
        ]),
  ]
  const [first] = faults.filter(({ code }) => actionOn(code, level) === 'enforced')
  return {
    signers,
    findings: oneForEachCode(findings),
    refusal:
      isEnough || first === undefined
        ? undefined
        : new UpdateError('IDENTITY_UNTRUSTED', `${role.role}: ${first.message}`, { hint: HINTS[first.code] }),
    change:
      change === undefined
        ? undefined
        : { detail: change, isEnforced: actionOn('identity-changed', level) === 'enforced' },
  }
}

/** Of a key for which nobody vouches, nothing but the key. */
export const signerOf = ({ keyId, name, authority, organization, validUntil }: Holder): Signer =>
  name === undefined || authority === undefined
    ? { keyId }
    : {
        keyId,
        name,
        authority,
        ...(organization === undefined ? {} : { organization }),
        ...(validUntil === undefined ? {} : { validUntil: validUntil.toISOString() }),
      }

const HINTS = {
  'identity-unknown':
    'ask the publisher for a certificate of an authority that you trust, or pin theirs after comparing it',
  'identity-expired': 'the publisher has to sign a new certificate; also compare the clock of this machine',
  'identity-revoked': 'ask the publisher whether a key was stolen; nothing is updated until another one signs',
  'identity-expiring':
    'nothing yet; if nobody signs with a new one until then, updates stop, and the publisher should know',
  'identity-changed': 'ask the publisher; then let the version in: updraft-agent approve PRODUCT VERSION',
} as const

/** Certificates without which not enough would be left, once they are over. What is over already is another finding. */
const expiringSoon = (good: readonly Holder[], threshold: number, now: Date): readonly NewFinding[] => {
  const leftMs = ({ validUntil }: Holder) => (validUntil?.getTime() ?? 0) - now.getTime()
  const close = good.filter((holder) => leftMs(holder) > 0 && leftMs(holder) < LIMITS.offlineExpiryNoticeMs)
  if (good.length < threshold || good.length - close.length >= threshold) return []
  return close.map(({ name, validUntil }) => ({
    code: 'identity-expiring' as const,
    message: `the certificate of ${name} expires at ${validUntil?.toISOString()}`,
    hint: HINTS['identity-expiring'],
    severity: FINDINGS['identity-expiring'].severity,
  }))
}

/** Nobody in common. Signers without a verified name say nothing about who they are. */
const changeBetween = (before: readonly Signer[], after: readonly Signer[]): string | undefined => {
  const namesOf = (signers: readonly Signer[]) =>
    signers.flatMap(({ name, authority }) => (name === undefined ? [] : [`${name} (${authority ?? 'unknown'})`]))
  const [was, is] = [namesOf(before), namesOf(after)]
  if (was.length === 0 || is.length === 0 || is.some((name) => was.includes(name))) return undefined
  return `the installed version was signed by ${was.join(', ')}; now it is ${is.join(', ')}`
}

/** A product has one finding of each code; the others of its kind stand in the same sentence. */
const oneForEachCode = (findings: readonly NewFinding[]): readonly NewFinding[] =>
  [...Map.groupBy(findings, ({ code }) => code).values()].flatMap((same) => {
    const [first] = same
    return first === undefined
      ? []
      : [{ ...first, message: [...new Set(same.map(({ message }) => message))].join('; ') }]
  })
