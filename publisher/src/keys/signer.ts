// The seam between the repository and whatever holds a private key: a file, or a program in front of a hardware module or a
// key service. A private key never passes through it; only bytes and signatures do.
import { UpdateError } from '@updraft/core/errors'
import type { TufKey } from '@updraft/core/trust/metadata'

/** Signs with one key. */
export interface Signer {
  /** TUF key id: SHA-256 of the canonical form of the public key. */
  readonly keyId: string
  readonly publicKey: TufKey
  /** Signature over exactly these bytes, in lower-case hex, as the key's scheme demands. Errors: SIGNER_FAILED, ABORTED. */
  sign(bytes: Uint8Array): Promise<string>
}

export interface KeySource {
  /** Where it looks, for people: `the folder r.keys`. */
  readonly description: string
  /**
   * Fingerprints of the first roots of the repositories that these keys belong to; none if that is not known. Whoever
   * signs compares them, so that no signature is ever put under somebody else's repository.
   */
  rootFingerprints(): Promise<readonly string[]>
  /**
   * Opens the key, or returns undefined if this source does not hold it.
   *
   * Errors: PASSPHRASE_MISSING, PASSPHRASE_WRONG, KEY_MISSING (something else lies in its place), IO, PERMISSION.
   */
  open(keyId: string): Promise<Signer | undefined>
}

/** Of several sources the first that holds the key. */
export const firstHolder = (first: KeySource, ...others: readonly KeySource[]): KeySource => ({
  ...first,
  open: async (keyId) => {
    for (const source of [first, ...others]) {
      const signer = await source.open(keyId)
      if (signer !== undefined) return signer
    }
    return undefined
  },
})

/** What a role demands, as its delegator signed it. */
export interface RoleKeys {
  readonly role: string
  readonly keyIds: readonly string[]
  readonly threshold: number
}

/** What puts a signature under metadata: a key that is open, or a signature that was made elsewhere. */
export type MetadataSigner = Pick<Signer, 'keyId' | 'sign'>

/** Enough signers for each role. */
export type Signers = ReadonlyMap<string, readonly MetadataSigner[]>

/**
 * Opens the keys that are here for each role, and makes sure that they reach its threshold, before any work is begun. A role
 * may be there twice, as a root is whose keys change: then both demands have to be met.
 *
 * Errors: KEY_MISSING with the ids that were looked for; whatever `keys.open` throws.
 */
export const openSigners = async (keys: KeySource, roles: readonly RoleKeys[]): Promise<Signers> => {
  const signers = new Map<string, readonly MetadataSigner[]>()
  for (const { role, keyIds, threshold } of roles) {
    const known = signers.get(role) ?? []
    const opened: MetadataSigner[] = []
    for (const keyId of keyIds) {
      const signer = known.find((other) => other.keyId === keyId) ?? (await keys.open(keyId))
      if (signer !== undefined) opened.push(signer)
    }
    if (opened.length < threshold) {
      const ids = keyIds.map((keyId) => keyId.slice(0, 8)).join(', ')
      throw new UpdateError(
        'KEY_MISSING',
        `role ${role} needs ${threshold} of its keys (${ids}); ${opened.length} are in ${keys.description}`,
        {
          hint: 'name the folder that holds them with --keys or UPDRAFT_KEYS; if they are apart, see: sign prepare --help',
        },
      )
    }
    signers.set(role, [...new Set([...known, ...opened])])
  }
  return signers
}
