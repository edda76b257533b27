// Whether the certificates that say who holds the keys of products are good, and for how long. Pure.

import { messageOf } from '@updraft/core/errors'
import { chainFault, nameOf } from '@updraft/core/trust/certificates'
import { chainOf, parseIdentity } from '@updraft/core/trust/identity'
import { publicKeyOf } from '@updraft/core/trust/keys'
import type { Repository } from '../repository.ts'
import type { Check } from './diagnosis.ts'

/** A company's authority may take its time. */
const SOON_MS = 30 * 24 * 60 * 60 * 1000

export const certificateChecks = ({ edition }: Repository, now: Date): readonly Check[] => {
  const { keys = {}, roles = [] } = edition.targets.metadata.signed.delegations ?? {}
  let checked = 0
  const check = (level: Check['level'], detail: string): Check => ({
    code: 'certificates',
    level,
    detail,
    hint: 'have it issued anew, then: updraft-publisher identity PRODUCT --certificate FILE',
  })
  const faults = roles.flatMap(({ name, keyids, identity }): readonly Check[] => {
    try {
      const parsed = parseIdentity(name, identity)
      if (parsed === undefined) return []
      return keyids.flatMap((keyId) => {
        const [chain, key] = [chainOf(parsed, keyId), keys[keyId]]
        if (key === undefined || chain.length === 0) return []
        checked += chain.length
        const fault = chainFault(chain, publicKeyOf(key), now)
        if (fault !== undefined) return [check('error', `${name}: ${fault}`)]
        return chain
          .filter(({ validToDate }) => validToDate.getTime() < now.getTime() + SOON_MS)
          .map((one) =>
            check('warning', `${name}: the certificate of ${nameOf(one)} expires at ${one.validToDate.toISOString()}`),
          )
      })
    } catch (error) {
      return [check('error', messageOf(error))]
    }
  })
  if (faults.length > 0) return faults
  return [
    { code: 'certificates', level: 'ok', detail: checked === 0 ? 'none are signed' : `${checked} are good`, hint: '' },
  ]
}
