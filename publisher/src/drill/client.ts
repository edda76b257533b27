// A TUF client that only follows metadata: what a machine would accept, from the root that its owner pinned and what it had
// accepted before. For rehearsals; it shares no code with what reads and writes repositories here, but for checking signatures.
import { createHash } from 'node:crypto'
import { UpdateError } from '@updraft/core/errors'
import {
  type Metadata,
  type MetaFile,
  parseMetadata,
  type SignedCommon,
  type SignedRoot,
  type SignedSnapshot,
  type SignedTargets,
  type SignedTimestamp,
  type TopLevelRole,
} from '@updraft/core/trust/metadata'
import { assertMetadataPolicy } from '@updraft/core/trust/policy'
import { type Authority, isSignedBy } from '@updraft/core/trust/signatures'

/** What a machine trusts: the newest root, and what it accepted under it. */
export interface ClientState {
  readonly root: Metadata<SignedRoot>
  readonly timestamp?: Metadata<SignedTimestamp> | undefined
  readonly snapshot?: Metadata<SignedSnapshot> | undefined
  /** Metadata versions of all roles, as accepted last. */
  readonly versions: Readonly<Record<string, number>>
}

/** The file of that name in the `metadata` folder; undefined if there is none. */
export type MetadataReader = (name: string) => Promise<Buffer | undefined>

/** A machine whose owner has just pinned `bytes`. Errors: METADATA_UNTRUSTED, METADATA_POLICY. */
export const pinRoot = (bytes: Buffer): ClientState => {
  const root = checked<SignedRoot>('root', bytes, 'the pinned root')
  return { root, versions: { root: root.signed.version } }
}

/**
 * The state after one refresh.
 *
 * Errors: METADATA_UNTRUSTED, METADATA_ROLLBACK, METADATA_EXPIRED, METADATA_POLICY, SOURCE_UNREACHABLE (a file is not there).
 * Source: TUF 5.3 to 5.6.
 */
export const refreshClient = async (state: ClientState, read: MetadataReader, now: Date): Promise<ClientState> => {
  const root = await followRoots(state.root, read)
  assertCurrent('root', root, now)
  // TUF 5.3.11: what only the keys from before vouched for does not count any more.
  const keep = sameKeys('timestamp', state.root, root) && sameKeys('snapshot', state.root, root)
  const trusted = keep ? state : { root, versions: {} }

  const authority = (role: TopLevelRole): Authority => ({ role: root.signed.roles[role], keys: root.signed.keys })
  const timestamp = await load<SignedTimestamp>('timestamp', 'timestamp.json', undefined, authority('timestamp'), read)
  assertNotOlder('timestamp', timestamp.signed.version, trusted.timestamp?.signed.version)
  const meta = timestamp.signed.meta['snapshot.json']
  assertNotOlder('snapshot', meta.version, trusted.timestamp?.signed.meta['snapshot.json'].version)
  assertCurrent('timestamp', timestamp, now)

  const snapshot = await load<SignedSnapshot>(
    'snapshot',
    `${meta.version}.snapshot.json`,
    meta,
    authority('snapshot'),
    read,
  )
  for (const [file, { version }] of Object.entries(trusted.snapshot?.signed.meta ?? {})) {
    assertNotOlder(file.replace(/\.json$/, ''), snapshot.signed.meta[file]?.version ?? 0, version)
  }
  assertCurrent('snapshot', snapshot, now)

  const listed = (role: string): MetaFile => {
    const entry = snapshot.signed.meta[`${role}.json`]
    if (entry === undefined) throw untrusted(`the snapshot does not list ${role}.json`)
    return entry
  }
  const loadTargets = async (role: string, by: Authority) => {
    const entry = listed(role)
    const loaded = await load<SignedTargets>(role, `${entry.version}.${role}.json`, entry, by, read)
    assertCurrent(role, loaded, now)
    return loaded
  }
  const targets = await loadTargets('targets', authority('targets'))
  const versions: Record<string, number> = {
    root: root.signed.version,
    targets: targets.signed.version,
    snapshot: snapshot.signed.version,
    timestamp: timestamp.signed.version,
  }
  const { keys = {}, roles = [] } = targets.signed.delegations ?? {}
  for (const role of roles) versions[role.name] = (await loadTargets(role.name, { role, keys })).signed.version
  return { root, timestamp, snapshot, versions }
}

const followRoots = async (pinned: Metadata<SignedRoot>, read: MetadataReader): Promise<Metadata<SignedRoot>> => {
  let root = pinned
  for (;;) {
    const name = `${root.signed.version + 1}.root.json`
    const bytes = await read(name)
    if (bytes === undefined) return root
    const next = checked<SignedRoot>('root', bytes, name)
    for (const { signed } of [root, next]) {
      if (isSignedBy(next, { role: signed.roles.root, keys: signed.keys })) continue
      throw untrusted(`${name} is not signed by enough keys of root ${signed.version}`)
    }
    if (next.signed.version !== root.signed.version + 1) throw untrusted(`${name} has version ${next.signed.version}`)
    root = next
  }
}

const load = async <Signed extends SignedCommon>(
  role: string,
  name: string,
  listed: MetaFile | undefined,
  authority: Authority,
  read: MetadataReader,
): Promise<Metadata<Signed>> => {
  const bytes = await read(name)
  if (bytes === undefined) throw new UpdateError('SOURCE_UNREACHABLE', `${name} is not there`)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (listed?.hashes?.sha256 !== undefined && listed.hashes.sha256 !== sha256) {
    throw untrusted(`${name} has the SHA-256 ${sha256}, but ${listed.hashes.sha256} was signed`)
  }
  const metadata = checked<Signed>(role, bytes, name)
  if (!isSignedBy(metadata, authority)) throw untrusted(`${name} is not signed by enough keys of its role`)
  if (listed !== undefined && listed.version !== metadata.signed.version) {
    throw untrusted(`${name} has version ${metadata.signed.version}`)
  }
  return metadata
}

const checked = <Signed extends SignedCommon>(role: string, bytes: Buffer, name: string): Metadata<Signed> => {
  const json = parseMetadata(bytes, name)
  assertMetadataPolicy(role, json, { received: true }, name)
  return json as Metadata<Signed>
}

const sameKeys = (role: TopLevelRole, a: Metadata<SignedRoot>, b: Metadata<SignedRoot>): boolean =>
  [...a.signed.roles[role].keyids].sort().join() === [...b.signed.roles[role].keyids].sort().join()

const assertNotOlder = (role: string, offered: number, trusted = 0): void => {
  if (offered >= trusted) return
  throw new UpdateError('METADATA_ROLLBACK', `${role} version ${offered} is older than trusted ${trusted}`)
}

const assertCurrent = (role: string, { signed }: Metadata, now: Date): void => {
  if (Date.parse(signed.expires) > now.getTime()) return
  throw new UpdateError('METADATA_EXPIRED', `${role} expired at ${signed.expires}`)
}

const untrusted = (message: string): UpdateError => new UpdateError('METADATA_UNTRUSTED', message)
