// Adds a product to a repository: a key of its own, or the keys of its people, and the delegation to it by the targets role.
import { UpdateError } from '@updraft/core/errors'
import type { Product } from '@updraft/core/names'
import { applyChange } from './apply-change.ts'
import { createKeyFile, type NewKey, newKeys } from './keys/key-file.ts'
import type { KeyType } from './keys/private-key.ts'
import { firstHolder, type KeySource } from './keys/signer.ts'
import type { Repository } from './repository.ts'
import { EMPTY_TARGETS, type RoleHolders, withProduct } from './sign/delegations.ts'
import type { Change } from './sign.ts'

export interface AddProductOptions {
  readonly keys: KeySource
  /** Where the product's key file goes. */
  readonly keysDirectory: string
  /** Of the new key; undefined leaves it unencrypted. */
  readonly passphrase: string | undefined
  readonly type?: KeyType | undefined
  readonly now: Date
}

export interface AddedProduct {
  readonly product: Product
  readonly key: { readonly keyId: string; readonly path: string }
}

/**
 * Errors: USAGE if the repository has it already, LOCKED, REPOSITORY_INVALID, CLOCK_WRONG,
 *         KEY_MISSING (the targets key is needed), PASSPHRASE_MISSING, PASSPHRASE_WRONG, DISK_FULL, PERMISSION, IO.
 */
export const addProduct = async (
  directory: string,
  product: Product,
  { keys, keysDirectory, passphrase, type, now }: AddProductOptions,
): Promise<AddedProduct> => {
  await using undo = new AsyncDisposableStack()
  const created: NewKey[] = []
  await applyChange(
    directory,
    async (repository) => {
      assertNewProduct(repository, product)
      created.push(undo.use(await createKeyFile(keysDirectory, product, passphrase, type)))
      return productChange(repository, product, { keys: created, threshold: 1 })
    },
    // The delegation may be public then: its key must not be lost.
    { keys: firstHolder(keys, newKeys(created)), now, onCommit: () => undo.move() },
  )
  const [key] = created
  if (key === undefined) throw new TypeError('no key was made')
  return { product, key: { keyId: key.keyId, path: key.path } }
}

/** The change that delegates to `product`. Errors: USAGE if the repository has it already, or the threshold cannot be met. */
export const productChange = (repository: Repository, product: Product, holders: RoleHolders): Change => {
  assertNewProduct(repository, product)
  return {
    targets: withProduct(repository.edition.targets.metadata.signed, product, holders),
    products: new Map([[product, EMPTY_TARGETS]]),
  }
}

const assertNewProduct = ({ products, directory }: Repository, product: Product): void => {
  if (!products.includes(product)) return
  throw new UpdateError('USAGE', `${directory} has the product ${product} already`)
}
