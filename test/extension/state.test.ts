import { describe, expect, test } from '@jest/globals'
import type { AgentEvent, Problem, ProductStatus } from '@updraft/core/control/api'
import { FINDINGS, type FindingCode, type Severity, trustLevelOf } from '@updraft/core/trust/finding'
import type { News } from '../../extension/src/client.ts'
import { type Model, NOTHING_KNOWN, reduce, summaryOf, type Tone } from '../../extension/src/state.ts'
import { productOf, statusOf, updateOf } from './control-server.ts'

const statusNews = (products: readonly ProductStatus[], cursor = 7): News => ({
  kind: 'status',
  status: statusOf(products, cursor),
  socketPath: '/run/updraft/agent.sock',
})
const eventNews = (cursor: number, event: AgentEvent): News => ({
  kind: 'event',
  recorded: { cursor, at: '2026-03-03T10:00:00.000Z', event },
})
const lost: News = { kind: 'lost', reason: 'not-running', message: 'no agent answers' }
const modelAfter = (...news: readonly News[]): Model => news.reduce(reduce, NOTHING_KNOWN)

const withFinding = (code: FindingCode): ProductStatus => withReported(code, FINDINGS[code].severity)

const withReported = (code: string, severity: Severity): ProductStatus => {
  const findings = [{ code, severity, message: 'root 4 has 1 of 2 signatures', hint: 'ask', since: 'yesterday' }]
  return productOf('acme', { trust: { level: trustLevelOf(findings), signers: [], threshold: 2, findings } })
}

describe('reduce', () => {
  test('a status replaces everything that was known', () => {
    const model = modelAfter(statusNews([productOf('old')]), statusNews([productOf('acme')], 9))
    expect([...model.products.keys()]).toEqual(['acme'])
    expect(model).toMatchObject({ link: 'connected', cursor: 9, agent: { hostname: 'build-7' } })
  })

  test('a product that did not change stays the same object', () => {
    const before = modelAfter(statusNews([productOf('acme'), productOf('beta')]))
    const next = reduce(before, statusNews([productOf('acme'), productOf('beta', { update: updateOf() })], 8))
    expect(next.products.get('acme')).toBe(before.products.get('acme'))
    expect(next.products.get('beta')).not.toBe(before.products.get('beta'))
  })

  test('progress is taken from events', () => {
    const model = modelAfter(
      statusNews([productOf('acme')]),
      eventNews(8, { kind: 'update', product: 'acme', update: updateOf({ haveBytes: 50_000_000 }) }),
    )
    expect(model.products.get('acme')?.update).toMatchObject({ share: 0.5, phase: 'working' })
    expect(model.cursor).toBe(8)
  })

  test('an event that the status already contains changes nothing', () => {
    const model = modelAfter(statusNews([productOf('acme')], 8))
    expect(reduce(model, eventNews(8, { kind: 'update', product: 'acme', update: updateOf() }))).toBe(model)
  })

  test('an event of a product that is not known only moves the cursor', () => {
    const model = modelAfter(statusNews([]), eventNews(8, { kind: 'update', product: 'acme', update: updateOf() }))
    expect([...model.products.keys()]).toEqual([])
    expect(model.cursor).toBe(8)
  })

  test('nothing is known any more when the agent is lost', () => {
    const model = modelAfter(statusNews([productOf('acme')]), lost)
    expect(model).toEqual({ ...NOTHING_KNOWN, link: 'not-running', reason: 'no agent answers' })
  })

  test('two products of the same name are one', () => {
    expect(modelAfter(statusNews([productOf('acme'), productOf('acme')])).products.size).toBe(1)
  })
})

describe('a version that waits for approval', () => {
  const waits = (rule: string, version: string) => ({ rule, passed: false, detail: `${version} waits`, version })
  const toApprove = (changes: Partial<ProductStatus>) =>
    modelAfter(statusNews([productOf('acme', changes)])).products.get('acme')?.toApprove

  test('is the first one that waits, under the name that the agent knows it by', () => {
    expect(toApprove({ decision: [waits('approved', '1.2.0'), waits('approved', '1.1.0')] })).toEqual({
      version: '1.2.0',
      key: '1.2.0',
      isSkipped: false,
      newSigner: undefined,
    })
    expect(toApprove({ decision: [{ ...waits('approved', '1.2.0'), passed: true }] })).toBeUndefined()
  })

  test('may be one that was skipped, for who changes their mind', () => {
    expect(toApprove({ decision: [waits('not-skipped', '1.2.0')] })).toMatchObject({
      version: '1.2.0',
      isSkipped: true,
    })
    const decision = [waits('not-skipped', '1.2.0'), waits('approved', '1.1.0')]
    expect(toApprove({ decision })).toMatchObject({ version: '1.1.0', isSkipped: false })
  })

  test('says who has signed it if that is somebody else', () => {
    const finding = {
      code: 'identity-changed',
      severity: 'error',
      message: 'it was A; now it is B',
      hint: '',
      since: '',
    } as const
    const trust = { level: 'untrusted', signers: [], threshold: 1, findings: [finding] } as const
    const decision = [waits('approved', '1.2.0'), waits('same-signer', '1.2.0')]
    expect(toApprove({ decision, trust })?.newSigner).toBe('it was A; now it is B')
    expect(toApprove({ decision: [waits('same-signer', '1.2.0')] })?.newSigner).toBe('1.2.0 waits')
  })
})

describe('settings that the agent has refused', () => {
  const settings = (error?: Problem) => ({ kind: 'settings', ...(error === undefined ? {} : { error }) }) as const
  const problem = { type: 't', title: 't', status: 400, detail: 'agent.json:2:3: no', code: 'SETTINGS_INVALID' }

  test('are told until they are understood again', () => {
    const refused = modelAfter(statusNews([]), eventNews(8, settings(problem)))
    expect(refused.settingsProblem?.message).toBe('agent.json:2:3: no')
    expect(reduce(refused, eventNews(9, settings())).settingsProblem).toBeUndefined()
  })
})

describe('what the agent says is made fit to be shown', () => {
  const OVERRIDE = '\u202Eacme\u0000$(verified)'

  test('every text is cleaned, and only the key stays as it was', () => {
    const product = productOf(OVERRIDE, {
      source: OVERRIDE,
      update: updateOf({
        version: OVERRIDE,
        error: { type: 'x', title: 'x', status: 500, detail: OVERRIDE, code: OVERRIDE, hint: OVERRIDE },
      }),
      decision: [{ rule: OVERRIDE, passed: true, detail: OVERRIDE }],
      trust: {
        level: 'untrusted',
        signers: [{ keyId: OVERRIDE, name: OVERRIDE }],
        threshold: 1,
        findings: [{ code: 'root-unknown', severity: 'error', message: OVERRIDE, hint: OVERRIDE, since: OVERRIDE }],
      },
    })
    const view = modelAfter(statusNews([product])).products.get(OVERRIDE)
    expect(view?.key).toBe(OVERRIDE)
    // A key is for asking the agent again, and is never shown.
    const shown = JSON.stringify(view, (name, value: unknown) => (name === 'key' ? '' : value))
    expect(shown).not.toMatch(/\u202E|\\u0000|\$\(/)
    expect(view?.name).toBe('acme $ (verified)')
  })

  test('the reason of a lost connection is cleaned', () => {
    expect(modelAfter({ ...lost, message: 'no\nagent\u202E' }).reason).toBe('no agent')
  })

  test('a name as long as a book is cut', () => {
    const name = 'a'.repeat(1_000_000)
    expect(modelAfter(statusNews([productOf(name)])).products.get(name)?.name).toHaveLength(64)
  })

  test('more than all of it is all of it, and a share of nothing is unknown', () => {
    const share = (haveBytes: number, totalBytes: number) =>
      modelAfter(statusNews([productOf('acme', { update: updateOf({ haveBytes, totalBytes }) })])).products.get('acme')
        ?.update?.share
    expect(share(300, 100)).toBe(1)
    expect(share(0, 0)).toBeUndefined()
  })

  test('what is not a time is no time', () => {
    const product = productOf('acme', { available: { version: '1.1.0', published: 'soon' } })
    expect(modelAfter(statusNews([product])).products.get('acme')?.available?.published).toBeUndefined()
  })
})

describe('summaryOf', () => {
  const toneOf = (...products: readonly ProductStatus[]): Tone => summaryOf(modelAfter(statusNews(products))).tone

  test('without an agent it is offline, and connecting before the first answer', () => {
    expect(summaryOf(modelAfter(lost)).tone).toBe('offline')
    expect(summaryOf(NOTHING_KNOWN).tone).toBe('connecting')
  })

  test('it is quiet when all is well, and when an update has succeeded', () => {
    expect(toneOf()).toBe('quiet')
    expect(toneOf(productOf('acme', { update: updateOf({ state: 'committed' }) }))).toBe('quiet')
  })

  const FINDING_TONES: Readonly<Record<FindingCode, Tone>> = {
    'root-on-first-use': 'quiet',
    'root-unknown': 'decision',
    'metadata-untrusted': 'blocked',
    'metadata-rollback': 'blocked',
    'metadata-expired': 'attention',
    'metadata-expiring': 'quiet',
    'metadata-policy': 'blocked',
    'identity-unknown': 'blocked',
    'identity-changed': 'decision',
    'identity-expired': 'blocked',
    'identity-expiring': 'quiet',
    'identity-revoked': 'blocked',
    'urgent-unknown': 'attention',
    'release-invalid': 'blocked',
    'release-yanked': 'attention',
    'bundle-tampered': 'blocked',
    'peer-banned': 'quiet',
    'swarm-stalled': 'attention',
    'release-unhealthy': 'attention',
    'not-in-use': 'attention',
    'source-unreachable': 'attention',
  }
  test.each(Object.entries(FINDING_TONES) as [FindingCode, Tone][])('%s makes it %s', (code, tone) => {
    expect(toneOf(withFinding(code))).toBe(tone)
  })

  test.each([
    ['error', 'blocked'],
    ['warning', 'attention'],
    ['info', 'quiet'],
  ] as const)('a finding that only a newer agent knows counts by its severity: %s is %s', (severity, tone) => {
    expect(toneOf(withReported('root-compromised', severity))).toBe(tone)
    expect(toneOf(withReported('constructor', severity))).toBe(tone)
  })

  test('the code of a finding is cleaned like every other text', () => {
    const model = modelAfter(statusNews([withReported('[a](command:b)', 'info')]))
    expect(model.products.get('acme')?.findings[0]?.code).toBe('[a] (command:b)')
  })

  test.each([
    ['downloading', 'working'],
    ['verifying', 'working'],
    ['activating', 'working'],
    ['staged', 'pending'],
    ['waiting', 'pending'],
    ['failed', 'attention'],
    // A fault that it was rolled back for is a finding; else a person wanted it.
    ['rolled-back', 'quiet'],
  ] as const)('an update that is %s makes it %s', (state, tone) => {
    expect(toneOf(productOf('acme', { update: updateOf({ state }) }))).toBe(tone)
  })

  test('what waits is looked at again at the first time that a rule in the way names', () => {
    const rule = (passed: boolean, recheckAt?: string) => ({
      rule: 'r',
      passed,
      detail: 'd',
      ...(recheckAt === undefined ? {} : { recheckAt }),
    })
    const decision = [
      rule(true, '2026-03-03T01:00:00.000Z'),
      rule(false, '2026-03-03T03:00:00.000Z'),
      rule(false, '2026-03-03T02:00:00.000Z'),
      rule(false, 'some day'),
      rule(false),
    ]
    const viewOf = (changes: Partial<ProductStatus>) =>
      modelAfter(statusNews([productOf('acme', changes)])).products.get('acme')
    expect(viewOf({ decision })?.recheckAt).toEqual(new Date('2026-03-03T02:00:00.000Z'))
    expect(viewOf({ decision: [rule(true), rule(false)] })?.recheckAt).toBeUndefined()
  })

  test('the worst product gives the tone, and is named', () => {
    const summary = summaryOf(
      modelAfter(statusNews([withFinding('bundle-tampered'), productOf('beta', { update: updateOf() })])),
    )
    expect(summary.tone).toBe('blocked')
    expect(summary.products.map(({ name }) => name)).toEqual(['acme'])
  })

  test('the share is that of all downloads together', () => {
    const update = (haveBytes: number) => updateOf({ haveBytes, totalBytes: 100 })
    const products = [productOf('acme', { update: update(100) }), productOf('beta', { update: update(0) })]
    expect(summaryOf(modelAfter(statusNews(products))).share).toBe(0.5)
  })
})
