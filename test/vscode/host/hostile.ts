// A model in which everything that an agent can say is an attack on whoever shows it.
import type { AgentEvent, ProductStatus } from '@updraft/core/control/api'
import { type Model, NOTHING_KNOWN, reduce } from '../../../extension/src/state.ts'
import { productOf, statusOf, updateOf } from '../../extension/control-server.ts'

export const HOSTILE =
  '[run](command:updraft.refresh) <img src=x onerror=alert(1)> **b** https://evil.example $(verified)\n# h \u202E\u0000'

export const hostileProduct = (): ProductStatus =>
  productOf(HOSTILE, {
    source: HOSTILE,
    installed: { version: HOSTILE, path: HOSTILE, installedAt: HOSTILE, signers: [], threshold: 1 },
    use: { kind: HOSTILE, place: HOSTILE, version: HOSTILE },
    bad: [{ version: HOSTILE, by: HOSTILE, reason: HOSTILE, at: HOSTILE }],
    available: { version: `${HOSTILE}2`, published: HOSTILE, notes: HOSTILE },
    update: updateOf({
      version: HOSTILE,
      state: 'failed',
      error: { type: HOSTILE, title: HOSTILE, status: 500, detail: HOSTILE, code: HOSTILE, hint: HOSTILE },
    }),
    decision: [{ rule: HOSTILE, passed: false, detail: HOSTILE }],
    trust: {
      level: 'untrusted',
      signers: [{ keyId: HOSTILE, name: HOSTILE, organization: HOSTILE, authority: HOSTILE, validUntil: HOSTILE }],
      threshold: 2,
      findings: [
        { code: 'metadata-untrusted', severity: 'error', message: HOSTILE, hint: HOSTILE, since: HOSTILE },
        { code: 'root-unknown', severity: 'error', message: HOSTILE, hint: HOSTILE, since: HOSTILE },
      ],
    },
  })

export const modelOf = (products: readonly ProductStatus[], ...events: readonly AgentEvent[]): Model => {
  const status = statusOf(products)
  const connected = reduce(NOTHING_KNOWN, { kind: 'status', status, socketPath: '/run/updraft/agent.sock' })
  return events.reduce(
    (model, event) =>
      reduce(model, { kind: 'event', recorded: { cursor: model.cursor + 1, at: '2026-03-03T10:00:00.000Z', event } }),
    connected,
  )
}
