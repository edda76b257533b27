// A refresh of one product as its owner wants it verified: what has expired is only told where the level says so, and who signed is
// compared with the authorities that are pinned. Integrity is the refresh room's, and no level touches it.
import { join } from 'node:path'
import type { Signer } from '@updraft/core/control/api'
import { hasCode, isUpdateError, type UpdateError } from '@updraft/core/errors'
import { holdersOf } from '@updraft/core/trust/holders'
import { actionOn, severityAt } from '@updraft/core/trust/verification'
import { readAuthorities } from './authorities.ts'
import type { CycleDependencies } from './cycle-types.ts'
import { type Identified, identify, signerOf } from './identity.ts'
import { type RefreshResult, refresh } from './refresh.ts'
import type { ProductSettings } from './settings.ts'
import type { NewFinding } from './store/findings.ts'
import type { TrustedSource } from './trust-store.ts'

export interface IdentifiedRefresh extends RefreshResult {
  readonly findings: readonly NewFinding[]
  /** Why nothing may be updated although all of it is rightly signed. */
  readonly refusal: UpdateError | undefined
  readonly identityChange: Identified['change']
}

/** Long before anything was signed: at this time nothing has expired, and every other rule holds as it does today. */
export const BEFORE_EVERYTHING = new Date(0)

/** Errors: those of the refresh room; SETTINGS_INVALID, PERMISSION, IO for the files of authorities. */
export const refreshIdentified = async (
  source: TrustedSource,
  product: ProductSettings,
  dependencies: CycleDependencies,
): Promise<IdentifiedRefresh> => {
  const { name, verification: level } = product
  const authorities = await readAuthorities(product.authorities)
  const { result, expired } = await refreshAtLevel(source, product, dependencies)
  for (const { error } of result.failed) throw error
  const [role] = result.signedRoles
  const identified: Identified =
    role === undefined
      ? { signers: [], findings: [], refusal: undefined, change: undefined }
      : identify({
          role,
          authorities,
          level,
          installedSigners: dependencies.store.installed.current(name)?.signers ?? [],
          now: dependencies.now(),
        })
  const { urgentRole } = result
  // Names only: who may call something urgent is for the publisher's targets role to say.
  const urgent =
    urgentRole === undefined || isUpdateError(urgentRole) ? [] : holdersOf(urgentRole, authorities, dependencies.now())
  return {
    ...result,
    releases: result.releases.map((release) => {
      const { signers, urgency } = release
      const known = urgency?.role === name ? identified.signers : urgent.map(signerOf)
      return {
        ...release,
        signers: named(signers, identified.signers),
        urgency: urgency && { ...urgency, signers: named(urgency.signers, known) },
      }
    }),
    findings: [...expired, ...identified.findings, ...urgentFindings(urgentRole)],
    refusal: identified.refusal,
    identityChange: identified.change,
  }
}

const urgentFindings = (role: RefreshResult['urgentRole']): readonly NewFinding[] =>
  isUpdateError(role)
    ? [
        {
          code: 'urgent-unknown',
          message: role.message,
          hint: 'updates go on, each at the age that the settings ask for; if it stays like this, tell the publisher',
        },
      ]
    : []

const named = (signers: readonly Signer[], known: readonly Signer[]): readonly Signer[] =>
  signers.map((signer) => known.find(({ keyId }) => keyId === signer.keyId) ?? signer)

/** TUF stops at what has expired. Where that is only to be told, the rest is judged as it was before. */
const refreshAtLevel = async (
  source: TrustedSource,
  { name, verification, minimumAgeHours }: ProductSettings,
  { home, store, now, carrier, peersOf, alone, signal }: CycleDependencies,
): Promise<{ readonly result: RefreshResult; readonly expired: readonly NewFinding[] }> => {
  const run = (at: () => Date) =>
    alone(`source ${source.name}`, () =>
      refresh(source, [name], {
        cacheDirectory: join(home.stateDirectory, 'metadata'),
        floors: store.floors,
        now: at,
        carrier,
        peers: peersOf?.(source),
        signal,
        urgency: minimumAgeHours > 0,
      }),
    )
  const isOnlyTold = (error: unknown): error is UpdateError =>
    hasCode(error, 'METADATA_EXPIRED') && actionOn('metadata-expired', verification) === 'logged'
  try {
    const result = await run(now)
    const error = result.failed.map((failure) => failure.error).find(isOnlyTold)
    return error === undefined ? { result, expired: [] } : await runExpired(run, error, verification)
  } catch (error) {
    if (!isOnlyTold(error)) throw error
    return await runExpired(run, error, verification)
  }
}

const runExpired = async (
  run: (at: () => Date) => Promise<RefreshResult>,
  { message }: UpdateError,
  level: ProductSettings['verification'],
): Promise<{ readonly result: RefreshResult; readonly expired: readonly NewFinding[] }> => ({
  result: await run(() => BEFORE_EVERYTHING),
  expired: [
    {
      code: 'metadata-expired',
      message,
      hint: `updates go on, because verification is ${level}; tell the publisher, and compare the clock of this machine`,
      severity: severityAt('metadata-expired', level),
    },
  ],
})
