// The contents of root and of the delegations to products and to `urgent`, made from public keys. Pure.
import { type Product, URGENT_ROLE } from '@updraft/core/names'
import type { DelegatedRole, TopLevelRole, TufKeys, TufRole } from '@updraft/core/trust/metadata'
import type { PublicKey } from '../keys/public-key.ts'
import type { RootContent, TargetsContent } from '../sign.ts'

export interface RoleHolders {
  readonly keys: readonly PublicKey[]
  readonly threshold: number
}

/** Source: TUF 4.3. */
export const rootContent = (holders: Readonly<Record<TopLevelRole, RoleHolders>>): RootContent => ({
  keys: keysOf(Object.values(holders).flatMap(({ keys }) => keys)),
  roles: {
    root: demandOf(holders.root),
    targets: demandOf(holders.targets),
    snapshot: demandOf(holders.snapshot),
    timestamp: demandOf(holders.timestamp),
  },
})

/**
 * Adds a product to what the targets role delegates. The delegation is terminating: nobody else can speak for the
 * product's paths.
 *
 * Source: TUF 4.5 (delegations).
 */
export const withProduct = (content: TargetsContent, product: Product, holders: RoleHolders): TargetsContent =>
  withRole(content, product, holders)

/**
 * Adds the role that says what is urgent. It has the form of a product's, so that agents from before it take it for a product
 * that nobody asks for.
 */
export const withUrgentRole = (content: TargetsContent, holders: RoleHolders): TargetsContent =>
  withRole(content, URGENT_ROLE, holders)

const withRole = ({ targets, delegations }: TargetsContent, name: string, holders: RoleHolders): TargetsContent => {
  const role: DelegatedRole = { name, ...demandOf(holders), terminating: true, paths: [`${name}/*/*`] }
  const { keys = {}, roles = [] } = delegations ?? {}
  return { targets, delegations: { keys: { ...keys, ...keysOf(holders.keys) }, roles: [...roles, role] } }
}

export const EMPTY_TARGETS: TargetsContent = { targets: {} }

const keysOf = (keys: readonly PublicKey[]): TufKeys =>
  Object.fromEntries(keys.map(({ keyId, publicKey }) => [keyId, publicKey]))

const demandOf = ({ keys, threshold }: RoleHolders): TufRole => ({
  keyids: keys.map(({ keyId }) => keyId),
  threshold,
})
