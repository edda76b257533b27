// What may be published on top of what: the rules, as a table.
import { describe, expect, test } from '@jest/globals'
import {
  bundleNameOf,
  indexPathOf,
  metainfoPathOf,
  parseChannel,
  parsePlatform,
  parseProduct,
  parseReleaseVersion,
} from '@updraft/core/names'
import { planRelease, type ReleaseRequest } from '../../publisher/src/publish/plan.ts'
import type { PublishedRelease, Repository } from '../../publisher/src/repository.ts'
import { hoursAfter, NOW } from './workspace.ts'

type Line = readonly [version: string, channels: string, platform?: string, product?: string]

const requestOf = ([version, channels, platform = 'any', product = 'acme']: Line): ReleaseRequest => ({
  product: parseProduct(product),
  version: parseReleaseVersion(version),
  platform: parsePlatform(platform),
  channels: channels.split(' ').map(parseChannel),
})

const released = (line: Line): PublishedRelease => {
  const request = requestOf(line)
  const target = (path: string) => ({ path, file: path, lengthBytes: 1, sha256: '' })
  const torrent = {
    btih: 'a'.repeat(40),
    pieceLength: 16384,
    metainfo: metainfoPathOf(request),
    trackers: [],
    webSeeds: [],
  }
  const sizes = { files: 1, installedBytes: 1, indexBytes: 1, packBytes: 1 }
  return {
    release: { schema: 1, ...request, channels: request.channels, published: NOW.toISOString(), torrent, sizes },
    index: target(indexPathOf(request)),
    metainfo: target(metainfoPathOf(request)),
    bundleDirectory: bundleNameOf(request),
    urgentBy: undefined,
    torrents: [],
  }
}

const repositoryWith = (...lines: readonly Line[]) =>
  ({
    directory: 'r',
    products: [parseProduct('acme'), parseProduct('other')],
    releases: lines.map(released),
    roles: ['root', 'targets', 'snapshot', 'timestamp', 'acme'].map((role) => ({
      role,
      metadataVersion: 1,
      // Short-lived roles have expired; publishing renews them.
      expires: hoursAfter(NOW, role === 'root' || role === 'targets' ? 1 : -1),
      keyIds: [],
      threshold: 1,
    })),
  }) as unknown as Repository

describe('a release may be published', () => {
  test.each<[string, readonly Line[], Line, string | undefined]>([
    ['as the first', [], ['1.0.0', 'stable'], undefined],
    ['as the next', [['1.0.0', 'stable']], ['1.0.1', 'stable'], '1.0.0'],
    [
      'on top of the newest, whatever the order',
      [
        ['1.9.0', 'stable'],
        ['1.10.0', 'stable'],
      ],
      ['2.0.0', 'stable'],
      '1.10.0',
    ],
    [
      'below what is only on another channel',
      [
        ['1.0.0', 'stable'],
        ['2.0.0-rc.1', 'beta'],
      ],
      ['1.0.1', 'stable'],
      '1.0.0',
    ],
    [
      'on a channel of its own, on top of the newest older',
      [
        ['1.0.0', 'stable'],
        ['2.0.0', 'stable'],
      ],
      ['1.5.0', 'lts'],
      '1.0.0',
    ],
    [
      'on top of the channel that it shares',
      [
        ['1.0.0', 'stable'],
        ['2.0.0-rc.1', 'beta'],
      ],
      ['2.0.0', 'stable'],
      '1.0.0',
    ],
    ['after its release candidate', [['2.0.0-rc.1', 'stable']], ['2.0.0', 'stable'], '2.0.0-rc.1'],
    ['for another platform', [['2.0.0', 'stable', 'linux-x64']], ['1.0.0', 'stable', 'linux-arm64'], undefined],
    ['of another product', [['2.0.0', 'stable', 'any', 'other']], ['1.0.0', 'stable'], undefined],
  ])('%s', (_, existing, wanted, previous) => {
    const plan = planRelease(repositoryWith(...existing), requestOf(wanted), NOW)
    expect(plan.recent[0]?.release.version).toBe(previous)
  })
})

test('a release knows the three before it on its channels, the newest first', () => {
  const existing: readonly Line[] = [
    ['1.9.0', 'stable'],
    ['1.0.0', 'stable'],
    ['1.10.0', 'stable'],
    ['1.11.0', 'beta'],
    ['1.2.0', 'stable'],
  ]
  const { recent } = planRelease(repositoryWith(...existing), requestOf(['2.0.0', 'stable']), NOW)
  expect(recent.map(({ release }) => release.version)).toEqual(['1.10.0', '1.9.0', '1.2.0'])
})

describe('a release is refused', () => {
  test.each<[string, readonly Line[], Line, string]>([
    ['if the version is there', [['1.0.0', 'stable']], ['1.0.0', 'stable'], 'VERSION_NOT_NEWER'],
    ['if the version is there on another channel', [['1.0.0', 'beta']], ['1.0.0', 'stable'], 'VERSION_NOT_NEWER'],
    ['if a newer one is there', [['1.10.0', 'stable']], ['1.9.0', 'stable'], 'VERSION_NOT_NEWER'],
    ['if it shares one of several channels', [['2.0.0', 'beta stable']], ['1.0.0', 'lts stable'], 'VERSION_NOT_NEWER'],
    ['as a prerelease of what is there', [['2.0.0', 'stable']], ['2.0.0-rc.9', 'stable'], 'VERSION_NOT_NEWER'],
    ['for an unknown product', [], ['1.0.0', 'stable', 'any', 'unknown'], 'PRODUCT_UNKNOWN'],
  ])('%s', (_, existing, wanted, code) => {
    expect(() => planRelease(repositoryWith(...existing), requestOf(wanted), NOW)).toThrow(
      expect.objectContaining({ code }),
    )
  })

  test('while root or targets have expired', () => {
    expect(() => planRelease(repositoryWith(), requestOf(['1.0.0', 'stable']), hoursAfter(NOW, 2))).toThrow(
      expect.objectContaining({ code: 'METADATA_EXPIRED', message: expect.stringContaining('root') }),
    )
  })
})
