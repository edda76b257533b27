// Adds a product to a repository: a key of its own, and the delegation to it by the targets role.
import { UpdateError } from '@updraft/core/errors'
import type { Product } from '@updraft/core/names'
import { createKeyFile } from './keys/key-file.ts'
import { type KeySource, openSigners } from './keys/signer.ts'
import { commitFiles } from './repository/commit.ts'
import { changeRepository, lockRepository, openRepository, rolesNamed } from './repository.ts'
import { EMPTY_TARGETS, withProduct } from './sign/delegations.ts'
import { signChange } from './sign.ts'

export interface AddProductOptions {
  readonly keys: KeySource
  /** Where the product's key file goes. */
  readonly keysDirectory: string
  /** Of the new key; undefined leaves it unencrypted. */
  readonly passphrase: string | undefined
  readonly now: Date
}

export interface AddedProduct {
  readonly product: Product
  readonly key: { readonly keyId: string; readonly path: string }
}

/**
 * Errors: USAGE if the repository has it already, LOCKED, REPOSITORY_INVALID,
 *         KEY_MISSING (the targets key is needed), PASSPHRASE_MISSING, PASSPHRASE_WRONG, DISK_FULL, PERMISSION, IO.
 */
export const addProduct = async (
  directory: string,
  product: Product,
  { keys, keysDirectory, passphrase, now }: AddProductOptions,
): Promise<AddedProduct> => {
  using _lock = await lockRepository(directory)
  const repository = await openRepository(directory, { fingerprints: await keys.rootFingerprints() })
  if (repository.products.includes(product)) {
    throw new UpdateError('USAGE', `${repository.directory} has the product ${product} already`)
  }
  const signers = await openSigners(keys, rolesNamed(repository, ['targets', 'snapshot', 'timestamp']))
  await using undo = new AsyncDisposableStack()
  const key = undo.use(await createKeyFile(keysDirectory, product, passphrase))
  const change = {
    targets: withProduct(repository.edition.targets.metadata.signed, product, { keys: [key], threshold: 1 }),
    products: new Map([[product, EMPTY_TARGETS]]),
  }
  const { changed } = await signChange(repository.edition, change, {
    signers: new Map([...signers, [product, [key.signer]]]),
    expiryDays: repository.settings.expiryDays,
    now,
  })
  undo.move() // From here on the delegation may be public, whatever fails: its key must not be lost.
  await changeRepository(repository, () => commitFiles(repository.directory, { metadata: changed }))
  return { product, key: { keyId: key.keyId, path: key.path } }
}
