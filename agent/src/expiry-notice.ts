// Which signed metadata will be over soon although it should have been renewed by now: to be known before updates stop. Pure.
import { LIMITS } from '@updraft/core/limits'
import type { RoleExpiry } from './refresh.ts'
import type { NewFinding } from './store/findings.ts'

/** One finding for all roles that are close to their end; undefined if none is. */
export const expiryNotice = (expiries: readonly RoleExpiry[], now: Date): NewFinding | undefined => {
  const close = expiries.filter(({ role, at }) => {
    const leftMs = Date.parse(at) - now.getTime()
    return leftMs > 0 && leftMs < noticeMsOf(role) // What is over is another finding.
  })
  if (close.length === 0) return undefined
  return {
    code: 'metadata-expiring',
    message: close.map(({ role, at }) => `${role} expires at ${at}`).join('; '),
    hint: 'nothing yet; if it is not renewed until then, updates stop, and the publisher should know',
  }
}

const ONLINE_ROLES: ReadonlySet<string> = new Set(['snapshot', 'timestamp'])

const noticeMsOf = (role: string): number =>
  ONLINE_ROLES.has(role) ? LIMITS.onlineExpiryNoticeMs : LIMITS.offlineExpiryNoticeMs
