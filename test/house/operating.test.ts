// docs/operating.md against the programs: no code, state or finding is missing, no metric or command is invented.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { textOfMetrics } from '@updraft/agent/metrics'
import { type ProductStatus, UPDATE_STATES } from '@updraft/core/control/api'
import { ERROR_CODES, EXIT_CODES } from '@updraft/core/errors'
import { FINDINGS } from '@updraft/core/trust/finding'
import { PROJECT } from '../../scripts/steps.ts'

const read = (file: string): string => readFileSync(join(PROJECT, file), 'utf8')
const text = read('docs/operating.md')

/** The cells of each row of the table under the heading. */
const rowsUnder = (heading: string): readonly (readonly string[])[] => {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const rows = [...section.matchAll(/^\| (.+) \|$/gm)].map(([, cells = '']) => cells.split(' | '))
  return rows.slice(1)
}

test('every error code has a row, with its exit code', () => {
  const expected = Object.entries(ERROR_CODES).map(([code, { exit }]) => [code, EXIT_CODES[exit]])
  const actual = rowsUnder('Troubleshooting').map(([code, exit]) => [code, Number(exit)])
  expect(Object.fromEntries(actual)).toEqual({ ...Object.fromEntries(expected), DEFECT: EXIT_CODES.defect })
  expect(actual).toHaveLength(expected.length + 1)
})

test('every state of an update has a row, in order', () => {
  expect(rowsUnder('What the states mean').map(([state]) => state)).toEqual([...UPDATE_STATES])
})

test('every finding has a row, with its severity', () => {
  expect(Object.fromEntries(rowsUnder('What the findings mean').map(([code, severity]) => [code, severity]))).toEqual(
    Object.fromEntries(Object.entries(FINDINGS).map(([code, { severity }]) => [code, severity])),
  )
})

describe.each(['docs/operating.md', 'docs/publishing.md'])('commands of %s', (document) => {
  const commands = [
    ...read(document)
      .replaceAll('\\\n', ' ')
      .matchAll(/(?:^|[`(]|sudo |=1 )updraft-(agent|publisher) ([^`)|>\n]+)/gm),
  ].map(([, program = '', words = '']) => ({ program, words: (words.split(' -- ')[0] ?? '').trim().split(/\s+/) }))

  /** The completion script of a program lists every command, and every option of each. */
  const optionsOf = (program: string): ReadonlyMap<string, readonly string[]> => {
    const file = join(PROJECT, program, 'bin', `updraft-${program}.mjs`)
    const { stdout } = spawnSync(process.execPath, [file, 'completion', 'bash'], { encoding: 'utf8' })
    const lines = stdout.matchAll(/^ {4}'([\w/-]*)'\) words='[^']*' flags='([^']*)' ;;$/gm)
    return new Map([...lines].map(([, path = '', flags = '']) => [path, flags.split(' ')]))
  }

  test('that are named exist, with their options', () => {
    expect(commands.length).toBeGreaterThan(20)
    const known = new Map([...new Set(commands.map(({ program }) => program))].map((name) => [name, optionsOf(name)]))
    const wrong = commands.filter(({ program, words }) => {
      const paths = known.get(program)
      let path = ''
      for (const word of words) if (paths?.has(`${path}/${word}`)) path = `${path}/${word}`
      const flags = words.filter((word) => word.startsWith('--'))
      return path === '' || flags.some((flag) => !paths?.get(path)?.includes(flag))
    })
    expect(wrong).toEqual([])
  })
})

describe('metrics', () => {
  const product: ProductStatus = {
    name: 'acme',
    source: 'main',
    channel: 'stable',
    platform: 'any',
    installed: { version: '1.0.0', path: '/p', installedAt: '2026-01-01T00:00:00.000Z', signers: [], threshold: 1 },
    decision: [],
    trust: { level: 'trusted', signers: [], threshold: 1, findings: [] },
    seeding: { releases: 1, peers: 1, uploadedBytes: 1 },
  }
  const at = '2026-01-10T00:00:00.000Z'

  /** Each metric that an agent tells, with its labels. */
  const real = async (): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
    const exposition = await textOfMetrics({
      status: {
        apiVersion: 1,
        agent: { version: '1.0.0', pid: 1, hostname: 'h', home: '/h', startedAt: at, swarmPort: 1 },
        sources: [
          {
            name: 'main',
            url: 'http://localhost/',
            root: { version: 1, fingerprint: 'sha256:00', pinnedBy: 'file' },
            expires: { role: 'timestamp', at },
            lastCheck: { at },
            nextCheckAt: at,
          },
        ],
        products: [product],
        sharing: { month: '2026-01', sentBytes: { lan: 1, outside: 1 }, quotaBytes: 1, paused: 'quota', limits: {} },
        cursor: 0,
      },
      transferred: new Map([['acme', { peers: 1, origin: 1, reused: 1 }]]),
      uploaded: { lan: 1, outside: 1 },
      fallbacks: new Map([['no-peers', 1]]),
      process: { cpuSeconds: 1, residentBytes: 1, heapUsedBytes: 1 },
    })
    const labels = new Map<string, Set<string>>()
    for (const [, name = '', inside = ''] of exposition.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
      const known = labels.get(name) ?? new Set<string>()
      for (const [, label = ''] of inside.matchAll(/(\w+)="/g)) known.add(label)
      labels.set(name, known)
    }
    return labels
  }

  interface Dashboard {
    readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[]
    readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] }
  }
  const dashboard = JSON.parse(read('docs/dashboards/updraft.json')) as Dashboard
  const files: readonly (readonly [file: string, expressions: readonly string[]])[] = [
    [
      'updraft.json',
      [
        ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
        ...dashboard.templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query)),
      ],
    ],
    [
      'updraft-alerts.yml',
      [...read('docs/dashboards/updraft-alerts.yml').matchAll(/^ +expr: (.+)$/gm)].map(([, expr = '']) => expr),
    ],
  ]

  test.each(files)(
    'of docs/dashboards/%s are those of the agent, with labels that they have',
    async (_, expressions) => {
      const metrics = await real()
      const named = expressions.flatMap((expression) => [
        ...expression.matchAll(/\b((?:updraft|process|nodejs)_\w+)(?:\{([^}]*)\})?/g),
      ])
      expect(named.length).toBeGreaterThan(7)
      for (const [, name = '', selectors = ''] of named) {
        const labels = [...selectors.matchAll(/(\w+)(?:=~|!=|=)"/g)].map(([, label]) => label)
        expect([...metrics.keys()]).toContain(name)
        // Prometheus adds the machine itself.
        for (const label of labels) expect([...(metrics.get(name) ?? []), 'instance']).toContain(label)
      }
    },
  )
})
