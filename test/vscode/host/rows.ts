// The rows of the tree and the words in them, with VS Code's real API.
import assert from 'node:assert/strict'
import { type ProductStatus, UPDATE_STATES } from '@updraft/core/control/api'
import { FINDINGS, type FindingCode, TRUST_LEVELS } from '@updraft/core/trust/finding'
import { findingText } from '../../../extension/src/views/finding-texts.ts'
import type { Row } from '../../../extension/src/views/row.ts'
import { rowsOf } from '../../../extension/src/views/rows.ts'
import {
  findingTitle,
  levelIcon,
  levelWord,
  ruleWord,
  sentence,
  stateWord,
  time,
} from '../../../extension/src/views/words.ts'
import { productOf, updateOf } from '../../extension/control-server.ts'
import { HOSTILE, hostileProduct, modelOf } from './hostile.ts'
import type { HostTests } from './tests.ts'

const rowsFor = (...args: Parameters<typeof productOf>): readonly Row[] => {
  const model = modelOf([productOf(...args)])
  const product = model.products.get(args[0])
  assert(product !== undefined)
  return rowsOf(product, model.sources.get(product.source))
}
const summaries = (rows: readonly Row[]) => rows.map(({ label, description }) => [label, description])
const withAll = (rows: readonly Row[]): readonly Row[] => rows.flatMap((row) => [row, ...withAll(row.children ?? [])])

export const rowTests: HostTests = {
  'a product shows versions, progress, trust, source and reasons': () => {
    assert.deepEqual(summaries(rowsFor('acme', { update: updateOf() })), [
      ['Installed', '1.0.0'],
      ['Available', '1.1.0'],
      ['Downloading 42%', '42 MB of 100 MB, 3 peers'],
      ['Trusted', '2 signatures, 2 needed'],
      ['Signed list valid until', time(new Date('2026-03-10T08:00:00.000Z'))],
      ['Bytes of 1.1.0', '40 MB from peers, 1.5 MB from the publisher, 500 kB reused'],
      ['Source', 'main, channel stable, linux-x64'],
      ['Shared', '1 release, 0 peers, 0 bytes sent'],
      ['History', undefined],
      ['Why', 'every rule passed'],
    ])
  },

  'signers are shown by name, or by the start of their key': () => {
    const trust = rowsFor('acme').find(({ id }) => id === 'trust')
    assert.deepEqual(summaries(trust?.children ?? []), [
      ['Acme Release Engineering', 'key 1a2b3c4d'],
      ['Key f0e1d2c3', undefined],
    ])
  },

  'a signer for whom an authority vouches is shown with what the certificate says': () => {
    const signer = {
      keyId: '1a2b3c4d',
      name: 'Acme Releases',
      organization: 'Acme GmbH',
      authority: 'Acme CA',
      validUntil: '2030-01-01T00:00:00.000Z',
    }
    const trust = { level: 'trusted', signers: [signer], threshold: 1, findings: [] } as const
    const [row] = rowsFor('acme', { trust }).find(({ id }) => id === 'trust')?.children ?? []
    assert.deepEqual([row?.label, row?.description], ['Acme Releases', 'Acme GmbH'])
    assert.deepEqual(
      row?.children?.map(({ label }) => label),
      [
        'Organization: Acme GmbH',
        'Acme CA vouches for it',
        `Certificate valid until ${time(new Date(signer.validUntil))}`,
        'Key 1a2b3c4d',
      ],
    )
  },

  'how a version comes into use is shown, and when it is another one or nobody knows': () => {
    const row = (use: ProductStatus['use']) => {
      const { label, description } =
        rowsFor('acme', use === undefined ? {} : { use }).find(({ id }) => id === 'use') ?? {}
      return [label, description]
    }
    assert.deepEqual(row({ kind: 'file', place: '/usr/local/bin/acme', version: '1.0.0' }), [
      'In use',
      'as the file /usr/local/bin/acme',
    ])
    assert.deepEqual(row({ kind: 'vsix', place: 'in code', version: '0.9.0' }), [
      'Not in use',
      '0.9.0 is in use instead',
    ])
    assert.deepEqual(row({ kind: 'command', place: 'by dpkg -i' }), [
      'Not in use',
      'which version is in use is not known',
    ])
    assert.deepEqual(row({ kind: 'teleport', place: 'somewhere', version: '1.0.0' }), ['In use', 'teleport somewhere'])
    assert.deepEqual(row(undefined), [undefined, undefined])
  },

  'versions that are not tried again are shown with who found them bad, and can be tried again': () => {
    const at = '2026-03-03T10:00:00.000Z'
    const row = rowsFor('acme', { bad: [{ version: '1.1.0', by: 'probe', reason: 'it said 1', at }] }).find(
      ({ id }) => id === 'bad',
    )
    assert.deepEqual([row?.label, row?.description, row?.context], ['Not tried again here', '1.1.0', 'bad'])
    assert.deepEqual(summaries(row?.children ?? []), [['1.1.0', 'failed its test: it said 1']])
    assert.equal(
      rowsFor('acme').some(({ id }) => id === 'bad'),
      false,
    )
  },

  'an update that has succeeded leaves only the version': () => {
    const rows = rowsFor('acme', {
      available: { version: '1.0.0', published: '2026-03-01T00:00:00.000Z' },
      update: updateOf({ version: '1.0.0', state: 'committed' }),
    })
    assert.deepEqual(summaries(rows)[0], ['Installed', '1.0.0, the newest'])
    assert.equal(
      rows.some(({ id }) => id === 'available' || id === 'update'),
      false,
    )
  },

  'a finding says what happened and what to do, and is open': () => {
    const finding = {
      severity: 'warning',
      message: 'timestamp 9 expired',
      hint: 'ask the publisher',
      since: '',
    } as const
    const rows = rowsFor('acme', {
      trust: { level: 'attention', signers: [], threshold: 1, findings: [{ code: 'metadata-expired', ...finding }] },
    })
    const row = rows.find(({ label }) => label === 'The list of releases has expired')
    assert.equal(row?.isOpen, true)
    const { happened, did, todo } = findingText('metadata-expired', 'warning')
    assert.deepEqual(summaries(row?.children ?? []), [
      ['What happened', happened],
      ['What the agent did', did],
      ['What you can do', todo],
      ['Message', 'Timestamp 9 expired'],
    ])
    assert.match(row?.children?.[2]?.tooltip ?? '', /The agent adds: Ask the publisher\.$/)
    assert.match(row?.children?.[3]?.tooltip ?? '', /^Message\nTimestamp 9 expired\nTimestamp: the part of the list/)
  },

  'the first rule that did not pass is the answer to "why"': () => {
    const rows = rowsFor('acme', {
      decision: [
        { rule: 'newer', passed: true, detail: 'yes' },
        { rule: 'inside the window', passed: false, detail: 'it opens at 22:00' },
      ],
    })
    assert.deepEqual(summaries(rows).at(-1), ['Why', 'it opens at 22:00'])
  },

  'an update that waits says when it is looked at again, if time decides that': () => {
    const update = updateOf({ state: 'waiting' })
    const decision = [
      { rule: 'window', passed: false, detail: 'it opens at 22:00', recheckAt: '2026-03-03T22:00:00.000Z' },
    ]
    const [waiting] = rowsFor('acme', { update, decision }).filter(({ id }) => id === 'update')
    assert.match(waiting?.description ?? '', /^checked again .*2026/)
    const [held] = rowsFor('acme', { update }).filter(({ id }) => id === 'update')
    assert.doesNotMatch(held?.description ?? '', /again/)
  },

  'while updates are refused, rules that passed earlier are no answer': () => {
    const trust = { level: 'untrusted', signers: [], threshold: 1, findings: [] } as const
    assert.deepEqual(summaries(rowsFor('acme', { trust })).at(-1), ['Why', undefined])
  },

  'a sentence begins with a capital letter, but a file or an address keeps its name': () => {
    assert.equal(sentence('snapshot 3 is older'), 'Snapshot 3 is older')
    assert.equal(sentence('timestamp.json is missing'), 'timestamp.json is missing')
    assert.equal(sentence('http://a.example does not answer'), 'http://a.example does not answer')
  },

  'every state, level and finding has words': () => {
    for (const state of UPDATE_STATES) assert.match(stateWord(state), /^[A-Z]/)
    for (const level of TRUST_LEVELS) assert.match(levelWord(level), /^[A-Z]/)
    for (const code of Object.keys(FINDINGS) as FindingCode[]) assert.match(findingTitle(code), /^[A-Z]/)
    for (const rule of ['not-held', 'window', 'rollout', 'same-signer', 'metered'])
      assert.notEqual(ruleWord(rule), rule)
    assert.equal(ruleWord('constructor'), 'constructor')
  },

  'levels of trust differ by icon and not by colour alone': () => {
    assert.equal(new Set(TRUST_LEVELS.map((level) => levelIcon(level).id)).size, TRUST_LEVELS.length)
  },

  'nothing hostile gets into a row': () => {
    const model = modelOf([hostileProduct()])
    const product = model.products.get(HOSTILE)
    assert(product !== undefined)
    for (const row of withAll(rowsOf(product, model.sources.get(product.source)))) {
      for (const text of [row.label, row.description ?? '', ...(row.tooltip ?? '').split('\n')]) {
        assert.doesNotMatch(text, /\p{Cc}|\u202E|\$\(/u)
      }
    }
  },
}
