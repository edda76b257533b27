// What a repository begins with, made from the public keys of those who will sign in it. Pure.
import { UpdateError } from '@updraft/core/errors'
import { type Product, URGENT_ROLE } from '@updraft/core/names'
import type { TopLevelRole } from '@updraft/core/trust/metadata'
import type { Change, TargetsContent } from '../sign.ts'
import { EMPTY_TARGETS, type RoleHolders, rootContent, withProduct, withUrgentRole } from './delegations.ts'
import { NOTHING_URGENT } from './urgent.ts'

/** Who signs what. */
export interface Founders extends Readonly<Record<TopLevelRole, RoleHolders>> {
  readonly products: readonly { readonly product: Product; readonly holders: RoleHolders }[]
  /** Undefined leaves out the role `urgent`. */
  readonly urgent?: RoleHolders | undefined
}

/** Every role with its first version. Errors: USAGE for a threshold that cannot be met, and for a key or product that is there twice. */
export const firstChange = (founders: Founders): Change => {
  const { products, urgent, ...topLevel } = founders
  for (const [role, holders] of Object.entries(topLevel)) assertHolders(role, holders)
  for (const { product, holders } of products) assertHolders(product, holders)
  if (urgent !== undefined) assertHolders(URGENT_ROLE, urgent)
  const names = products.map(({ product }) => product)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UpdateError('USAGE', `the product ${twice} is named twice`)
  const targets = products.reduce<TargetsContent>(
    (content, { product, holders }) => withProduct(content, product, holders),
    EMPTY_TARGETS,
  )
  return {
    root: rootContent(topLevel),
    targets: urgent === undefined ? targets : withUrgentRole(targets, urgent),
    products: new Map<string, TargetsContent>([
      ...names.map((name) => [name, EMPTY_TARGETS] as const),
      ...(urgent === undefined ? [] : [[URGENT_ROLE, NOTHING_URGENT] as const]),
    ]),
  }
}

const assertHolders = (role: string, { keys, threshold }: RoleHolders): void => {
  const ids = keys.map(({ keyId }) => keyId)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined) throw new UpdateError('USAGE', `the role ${role} has the key ${twice.slice(0, 8)} twice`)
  if (threshold <= ids.length) return
  throw new UpdateError('USAGE', `the threshold ${threshold} of ${role} cannot be met by ${ids.length} keys`)
}
