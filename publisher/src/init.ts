// How a repository begins: keys, the first edition signed by them, and the folder that holds it. All of it appears, or
// nothing does.
import { mkdir, rmdir } from 'node:fs/promises'
import { type Product, URGENT_ROLE } from '@updraft/core/names'
import { createKeyFile, type NewKey } from './keys/key-file.ts'
import { noteFingerprint } from './keys/keys-directory.ts'
import type { KeyType } from './keys/private-key.ts'
import type { Signers } from './keys/signer.ts'
import { type Edition, fingerprintOf } from './repository/edition.ts'
import { assertNothingAt, createRepository } from './repository.ts'
import type { RepositorySettings } from './repository-settings.ts'
import type { RoleHolders } from './sign/delegations.ts'
import { firstChange } from './sign/first-edition.ts'
import { type SignedChange, signChange } from './sign.ts'

export interface InitRequest {
  readonly directory: string
  readonly keysDirectory: string
  readonly products: readonly Product[]
  readonly settings: RepositorySettings
  /** How many root keys to make, and how many of them have to sign a root. */
  readonly rootKeys: number
  readonly rootThreshold: number
  /** The same for targets, and for each product; one by default. */
  readonly targetsKeys?: number | undefined
  readonly targetsThreshold?: number | undefined
  readonly productKeys?: number | undefined
  readonly productThreshold?: number | undefined
  /** None makes no role `urgent`, by default. */
  readonly urgentKeys?: number | undefined
  readonly urgentThreshold?: number | undefined
  /** Ed25519 by default. */
  readonly type?: KeyType | undefined
}

export interface InitOptions {
  /** Undefined writes the keys unencrypted. */
  readonly passphrase: string | undefined
  readonly now: Date
}

export interface NewRepository {
  readonly directory: string
  /** `sha256:<hex>` of `1.root.json`. */
  readonly fingerprint: string
  readonly keys: readonly { readonly role: string; readonly keyId: string; readonly path: string }[]
}

/** Errors: REPOSITORY_EXISTS, DISK_FULL, PERMISSION, IO. */
export const initRepository = async (request: InitRequest, options: InitOptions): Promise<NewRepository> => {
  await assertNothingAt(request.directory)
  await using undo = new AsyncDisposableStack()
  const keys = await createKeys(request, options.passphrase, undo)
  const first = await signFirst(request, keys, options.now)
  const fingerprint = fingerprintOf(first.edition.root)
  undo.use(await noteFingerprint(request.keysDirectory, fingerprint))
  await createRepository(request.directory, request.settings, first.changed)
  undo.move() // It stands now: nothing is to be undone any more.
  return {
    directory: request.directory,
    fingerprint,
    keys: keys.map(({ role, path, keyId }) => ({ role, path, keyId })),
  }
}

const createKeys = async (
  { keysDirectory, products, rootKeys, targetsKeys = 1, productKeys = 1, urgentKeys = 0, type }: InitRequest,
  passphrase: string | undefined,
  undo: AsyncDisposableStack,
): Promise<readonly NewKey[]> => {
  if ((await mkdir(keysDirectory, { recursive: true, mode: 0o700 })) !== undefined) {
    undo.defer(() => rmdir(keysDirectory))
  }
  const times = (count: number, role: string) => Array<string>(count).fill(role)
  const people = [...times(rootKeys, 'root'), ...times(targetsKeys, 'targets')]
  const delegated = [...products.flatMap((product) => times(productKeys, product)), ...times(urgentKeys, URGENT_ROLE)]
  const roles = [...people, ...delegated, 'snapshot', 'timestamp']
  const keys: NewKey[] = []
  for (const role of roles) keys.push(undo.use(await createKeyFile(keysDirectory, role, passphrase, type)))
  return keys
}

const signFirst = async (
  {
    products,
    settings,
    rootThreshold,
    targetsThreshold,
    productThreshold,
    urgentKeys = 0,
    urgentThreshold,
  }: InitRequest,
  keys: readonly NewKey[],
  now: Date,
): Promise<SignedChange> => {
  const holders = (role: string, threshold = 1): RoleHolders => ({
    keys: keys.filter((key) => key.role === role),
    threshold,
  })
  const signers: Signers = new Map(
    [...Map.groupBy(keys, ({ role }) => role)].map(([role, group]) => [role, group.map(({ signer }) => signer)]),
  )
  const change = firstChange({
    root: holders('root', rootThreshold),
    targets: holders('targets', targetsThreshold),
    snapshot: holders('snapshot'),
    timestamp: holders('timestamp'),
    products: products.map((product) => ({ product, holders: holders(product, productThreshold) })),
    urgent: urgentKeys === 0 ? undefined : holders(URGENT_ROLE, urgentThreshold),
  })
  return await signChange<Edition>(undefined, change, { signers, expiryDays: settings.expiryDays, now })
}
