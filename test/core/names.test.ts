// The grammar of names, and that what is made of them is unambiguous and safe.
import { describe, expect, test } from '@jest/globals'
import {
  bundleNameOf,
  indexPathOf,
  parseChannel,
  parsePlatform,
  parseProduct,
  parseReleaseVersion,
  releaseNameOfIndexPath,
} from '@updraft/core/names'

const release = (product: string, version: string, platform: string) => ({
  product: parseProduct(product),
  version: parseReleaseVersion(version),
  platform: parsePlatform(platform),
})

describe('products', () => {
  test.each(['a', 'acme', 'acme-cli', 'x2'])('accepts %s', (name) => expect(parseProduct(name)).toBe(name))
  test.each([
    '',
    'Acme',
    '1a',
    '-a',
    'a_b',
    'a/b',
    '..',
    'root',
    'targets',
    'timestamp',
    'snapshot',
    'a'.repeat(65),
    'é',
  ])('refuses %j', (name) =>
    expect(() => parseProduct(name)).toThrow(expect.objectContaining({ code: 'PRODUCT_INVALID' })),
  )
})

describe('versions', () => {
  test.each(['1.0.0', '0.0.1-rc.1', '10.20.30-alpha-1.x'])('accepts %s', (name) =>
    expect(parseReleaseVersion(name)).toBe(name),
  )
  test.each(['', '1', '1.0', 'v1.0.0', ' 1.0.0', '1.0.0+build', '01.0.0', '1.0.0-', '1.0.0/..', '9'.repeat(70)])(
    'refuses %j',
    (name) => expect(() => parseReleaseVersion(name)).toThrow(expect.objectContaining({ code: 'VERSION_INVALID' })),
  )
})

describe('platforms and channels', () => {
  test.each(['any', 'linux-x64', 'darwin-arm64'])('accepts %s', (name) => expect(parsePlatform(name)).toBe(name))
  test.each(['', 'Linux', 'linux_x64', 'linux-', '-x64', 'a'.repeat(33)])('refuses platform %j', (name) =>
    expect(() => parsePlatform(name)).toThrow(expect.objectContaining({ code: 'PLATFORM_INVALID' })),
  )
  test.each(['', 'Beta', 'a b', '../x', 'a'.repeat(33)])('refuses channel %j', (name) =>
    expect(() => parseChannel(name)).toThrow(expect.objectContaining({ code: 'CHANNEL_INVALID' })),
  )
})

describe('what is made of names', () => {
  test('two releases never share a bundle name', () => {
    const names = [
      release('acme', '1.0.0-linux', 'x64'),
      release('acme', '1.0.0', 'linux-x64'),
      release('acme-1', '0.0.0', 'any'),
      release('acme', '1.0.0', 'any'),
    ].map(bundleNameOf)
    expect(new Set(names).size).toBe(names.length)
  })

  test('a target path leads back to its release', () => {
    const name = release('acme', '1.0.0-rc.1', 'linux-x64')
    expect(releaseNameOfIndexPath(indexPathOf(name))).toEqual(name)
  })

  test.each(['acme/1.0.0/any.torrent', 'acme/1.0.0/x/any.index', '../1.0.0/any.index', 'acme/1.0/any.index', ''])(
    '%j names no release',
    (path) => expect(releaseNameOfIndexPath(path)).toBeUndefined(),
  )
})
