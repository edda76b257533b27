// TUF metadata as it stands in JSON, for rules that only read it. These types are a promise only after checkMetadata
// (policy.ts) found no fault; nothing here verifies a signature.
import { messageOf, UpdateError } from '../errors.ts'

export interface Signature {
  readonly keyid: string
  /** Hex; empty where a signature is still to be made. */
  readonly sig: string
}

/** One metadata file. Source: TUF 4.2.1. */
export interface Metadata<Signed extends SignedCommon = SignedCommon> {
  readonly signed: Signed
  readonly signatures: readonly Signature[]
}

export interface SignedCommon {
  readonly _type: string
  readonly spec_version: string
  readonly version: number
  /** `YYYY-MM-DDTHH:MM:SSZ` */
  readonly expires: string
}

/** Source: TUF 4.2 (key objects). */
export interface TufKey {
  readonly keytype: string
  readonly scheme: string
  readonly keyval: { readonly public: string }
}

export type TufKeys = Readonly<Record<string, TufKey>>

export interface TufRole {
  readonly keyids: readonly string[]
  readonly threshold: number
}

export const TOP_LEVEL_ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const
export type TopLevelRole = (typeof TOP_LEVEL_ROLES)[number]

/** Source: TUF 4.3. */
export interface SignedRoot extends SignedCommon {
  readonly _type: 'root'
  readonly consistent_snapshot: boolean
  readonly keys: TufKeys
  readonly roles: Readonly<Record<TopLevelRole, TufRole>>
}

export type TufHashes = Readonly<{ sha256?: string | undefined; sha512?: string | undefined }>

export interface MetaFile {
  readonly version: number
  readonly length?: number | undefined
  readonly hashes?: TufHashes | undefined
}

/** Source: TUF 4.6. */
export interface SignedTimestamp extends SignedCommon {
  readonly _type: 'timestamp'
  readonly meta: Readonly<{ 'snapshot.json': MetaFile }>
}

/** Source: TUF 4.4. */
export interface SignedSnapshot extends SignedCommon {
  readonly _type: 'snapshot'
  readonly meta: Readonly<Record<string, MetaFile>>
}

export interface DelegatedRole extends TufRole {
  readonly name: string
  readonly terminating: boolean
  readonly paths: readonly string[]
  /** Who holds its keys: see identity.ts. */
  readonly identity?: unknown
}

export interface Delegations {
  readonly keys: TufKeys
  readonly roles: readonly DelegatedRole[]
}

export interface TufTarget {
  readonly length: number
  readonly hashes: TufHashes
  readonly custom?: unknown
}

/** Source: TUF 4.5. */
export interface SignedTargets extends SignedCommon {
  readonly _type: 'targets'
  readonly targets: Readonly<Record<string, TufTarget>>
  readonly delegations?: Delegations | undefined
  /** In the role `urgent` only: see urgent.ts. */
  readonly urgent?: unknown
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The JSON value in `bytes`; `file` names them in the error. Malformed UTF-8 is refused, because decoding it leniently
 * would make several byte sequences mean the same.
 *
 * Errors: METADATA_UNTRUSTED.
 */
export const parseMetadata = (bytes: Uint8Array, file: string): unknown => {
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch (error) {
    throw new UpdateError('METADATA_UNTRUSTED', `${file} is not JSON: ${messageOf(error)}`, {
      cause: error,
      hint: 'the file is damaged, or the server answers with something else; nothing of it was used',
    })
  }
}
