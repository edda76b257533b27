// Who holds the keys of a product, as the role that delegates to it signs it: chains of certificates beside the key ids. Pure.
import type { X509Certificate } from 'node:crypto'
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { type Product, URGENT_ROLE } from '@updraft/core/names'
import { chainFault } from '@updraft/core/trust/certificates'
import { IDENTITY_SCHEMA, type Identity, parseIdentity } from '@updraft/core/trust/identity'
import { publicKeyOf } from '@updraft/core/trust/keys'
import { assertProduct } from '../repository/demands.ts'
import type { Repository } from '../repository.ts'
import type { Change } from '../sign.ts'
import { assertRole } from './role-keys.ts'

export interface IdentityRequest {
  /** Of each file all certificates in it. */
  readonly chains: readonly { readonly file: string; readonly certificates: readonly X509Certificate[] }[]
  /** X.509 CRL in DER. */
  readonly revocationLists: readonly Buffer[]
  /** Nothing is said any more. */
  readonly remove: boolean
}

/**
 * The change that signs the identity of the keys of a product, or of the role `urgent`. What is not named again stays, as long as its key does.
 *
 * Errors: PRODUCT_UNKNOWN, USAGE (there is no such role), CERTIFICATE_INVALID for a chain that is for none of its keys, or not good at `now`; LIMIT_EXCEEDED.
 */
export const identityChange = (
  repository: Repository,
  product: Product | typeof URGENT_ROLE,
  request: IdentityRequest,
  now: Date,
): Change => {
  if (product === URGENT_ROLE) assertRole(repository, product)
  else assertProduct(repository, product)
  const { targets, delegations } = repository.edition.targets.metadata.signed
  if (delegations === undefined) throw new TypeError('a product without a delegation')
  const roles = delegations.roles.map((role) => {
    if (role.name !== product) return role
    const { identity: before, ...rest } = role
    if (request.remove) return rest
    const certificates = { ...parseIdentity(product, before)?.certificates }
    for (const { file, certificates: chain } of request.chains) {
      const keyId = keyIdOfChain(chain, role.keyids, delegations.keys)
      if (keyId === undefined) {
        throw new UpdateError('CERTIFICATE_INVALID', `${file} has no certificate for a key of ${product}`, {
          hint: `its keys are ${role.keyids.join(', ')}`,
        })
      }
      const key = delegations.keys[keyId]
      const fault = key === undefined ? 'its key is gone' : chainFault(chain, publicKeyOf(key), now)
      if (fault !== undefined) throw new UpdateError('CERTIFICATE_INVALID', `${file} cannot be used: ${fault}`)
      certificates[keyId] = chain.map(({ raw }) => raw.toString('base64'))
    }
    const revocationLists =
      request.revocationLists.length > 0
        ? request.revocationLists.map((list) => list.toString('base64'))
        : parseIdentity(product, before)?.revocationLists
    const identity: Identity = { schema: IDENTITY_SCHEMA, certificates, ...(revocationLists && { revocationLists }) }
    parseIdentity(product, identity)
    return { ...rest, identity }
  })
  return { targets: { targets, delegations: { ...delegations, roles } } }
}

const keyIdOfChain = (
  [leaf, ...others]: readonly X509Certificate[],
  keyIds: readonly string[],
  keys: Readonly<Record<string, Parameters<typeof publicKeyOf>[0]>>,
): string | undefined => {
  if (leaf === undefined || others.length >= LIMITS.certificateChainMax) return undefined
  return keyIds.find((keyId) => {
    const key = keys[keyId]
    return key !== undefined && leaf.publicKey.equals(publicKeyOf(key))
  })
}
