// The contents of root and of the delegations to products, made from public keys. Pure.
import type { Key } from '@tufjs/models'
import type { Product } from '@updraft/core/names'
import type { Change, TargetsContent } from '../sign.ts'
import type { Json } from './role.ts'

export interface RoleHolders {
  readonly keys: readonly Key[]
  readonly threshold: number
}

export interface TopLevelHolders {
  readonly root: RoleHolders
  readonly targets: RoleHolders
  readonly snapshot: RoleHolders
  readonly timestamp: RoleHolders
}

/** Source: TUF 4.3. */
export const rootContent = (holders: TopLevelHolders): NonNullable<Change['root']> => ({
  keys: keysJson(Object.values(holders).flatMap(({ keys }: RoleHolders) => keys)),
  roles: Object.fromEntries(
    Object.entries(holders).map(([role, { keys, threshold }]: [string, RoleHolders]) => [
      role,
      { keyids: keys.map(({ keyID }) => keyID), threshold },
    ]),
  ),
})

/**
 * Adds a product to what the targets role delegates. The delegation is terminating: nobody else can speak for the
 * product's paths.
 *
 * Source: TUF 4.5 (delegations).
 */
export const withProduct = (
  { targets, delegations }: TargetsContent,
  product: Product,
  { keys, threshold }: RoleHolders,
): TargetsContent => {
  const { keys: knownKeys = {}, roles = [] } = (delegations ?? {}) as { keys?: Json; roles?: readonly Json[] }
  const role = {
    name: product,
    keyids: keys.map(({ keyID }) => keyID),
    threshold,
    terminating: true,
    paths: [`${product}/*/*`],
  }
  return { targets, delegations: { keys: { ...knownKeys, ...keysJson(keys) }, roles: [...roles, role] } }
}

export const EMPTY_TARGETS: TargetsContent = { targets: {} }

const keysJson = (keys: readonly Key[]): Json => Object.fromEntries(keys.map((key) => [key.keyID, key.toJSON()]))
