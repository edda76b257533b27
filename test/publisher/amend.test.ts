// Changing what is signed about a published release: what is signed then, what is refused, and that no byte moves.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { ErrorCode } from '@updraft/core/errors'
import { parseChannel, parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import { promotion } from '../../publisher/src/amend/promotion.ts'
import { parseRollout, rollout } from '../../publisher/src/amend/rollout.ts'
import { urgency } from '../../publisher/src/amend/urgent.ts'
import { unyank, type Yank, yank } from '../../publisher/src/amend/yank.ts'
import { type Amended, type Amendment, amend } from '../../publisher/src/amend.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { runPublisher } from './program.ts'
import { release } from './release.ts'
import {
  copyWorkspace,
  fingerprintTree,
  hoursAfter,
  NOW,
  openRepositoryWorkspace,
  type Workspace,
} from './workspace.ts'

const LATER = hoursAfter(NOW, 1)
const to = (...channels: string[]): Amendment => promotion(channels.map(parseChannel))
const steps = (...texts: string[]): Amendment => rollout(parseRollout(texts, LATER))
const yanked = (reason: string, goTo?: string): Amendment => {
  const wanted: Yank = { reason, goTo: goTo === undefined ? undefined : parseReleaseVersion(goTo) }
  return yank(wanted, LATER)
}

interface Amending {
  readonly version?: string
  readonly product?: string
  readonly platform?: string
  readonly now?: Date
}

const amending = (
  { repository, keys }: Workspace,
  amendment: Amendment,
  { version = '1.0.0', product = 'acme', platform, now = LATER }: Amending = {},
): Promise<Amended> =>
  amend(
    {
      repository,
      product: parseProduct(product),
      version: parseReleaseVersion(version),
      platform: platform === undefined ? undefined : parsePlatform(platform),
    },
    amendment,
    { keys, now },
  )

const signed = async ({ repository }: Workspace, version = '1.0.0', platform = 'any'): Promise<Release> => {
  const { releases } = await openRepository(repository)
  const found = releases.find(({ release }) => release.version === version && release.platform === platform)
  if (found === undefined) throw new Error(`no ${version} for ${platform}`)
  return found.release
}

let template: Workspace

beforeAll(async () => {
  template = await openRepositoryWorkspace()
  await release(template, { version: '1.0.0' })
  await release(template, { version: '1.1.0', channels: ['stable', 'beta'] })
  await release(template, { version: '2.0.0', channels: ['beta'] })
})
afterAll(async () => {
  await template[Symbol.asyncDispose]()
})

/** 1.0.0 on stable, 1.1.0 on stable and beta, 2.0.0 on beta. */
const published = (): Promise<Workspace> => copyWorkspace(template)

describe('what is signed', () => {
  test('a promotion adds channels, and keeps those that were', async () => {
    await using workspace = await published()
    const amended = await amending(workspace, to('stable', 'beta'), { version: '2.0.0' })
    expect(amended).toMatchObject({ changed: true, releases: [{ platform: 'any', channels: ['beta', 'stable'] }] })
    expect((await signed(workspace, '2.0.0')).channels).toEqual(['beta', 'stable'])
  })

  test('a rollout takes the place of the one before; to everyone it goes away', async () => {
    await using workspace = await published()
    await amending(workspace, steps('10%', '50%@24h'))
    await amending(workspace, steps('0.5%', '100%@2d'))
    expect((await signed(workspace)).rollout).toEqual([
      { at: LATER.toISOString(), cohorts: 50 },
      { at: hoursAfter(LATER, 48).toISOString(), cohorts: 10_000 },
    ])
    await amending(workspace, steps('100%'))
    expect(await signed(workspace)).not.toHaveProperty('rollout')
  })

  test('a yank says when, why and where to; urgency says itself', async () => {
    await using workspace = await published()
    await amending(workspace, yanked('loses settings', '1.0.0'), { version: '1.1.0' })
    const yank = { at: LATER.toISOString(), reason: 'loses settings', goTo: '1.0.0' }
    expect((await signed(workspace, '1.1.0')).yanked).toEqual(yank)
    await amending(workspace, urgency, { version: '2.0.0' })
    expect((await signed(workspace, '2.0.0')).urgent).toBe(true)
  })

  test('all platforms of the version, or one', async () => {
    await using workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0', platform: 'linux-x64' })
    await release(workspace, { version: '1.0.0', platform: 'linux-arm64' })
    expect((await amending(workspace, urgency, { platform: 'linux-x64' })).releases).toHaveLength(1)
    expect(await signed(workspace, '1.0.0', 'linux-arm64')).not.toHaveProperty('urgent')
    expect((await amending(workspace, yanked('broken'))).releases).toHaveLength(2)
    expect((await signed(workspace, '1.0.0', 'linux-arm64')).yanked?.reason).toBe('broken')
  })

  test('no byte moves: only metadata is new, and the next publish still finds its way', async () => {
    await using workspace = await published()
    const before = await fingerprintTree(workspace.repository)
    const { metadataVersions } = await amending(workspace, steps('10%'))
    const after = await fingerprintTree(workspace.repository)
    const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (name) => before[name] !== after[name],
    )
    expect(changed.sort()).toEqual([
      `metadata/${metadataVersions.acme}.acme.json`,
      `metadata/${metadataVersions.snapshot}.snapshot.json`,
      'metadata/timestamp.json',
    ])
    await release(workspace, { version: '2.1.0', channels: ['stable'] })
    expect((await signed(workspace)).rollout).toBeDefined()
  })

  test('a yank that is taken back leaves what was signed before it, and can be made again', async () => {
    await using workspace = await published()
    await amending(workspace, steps('10%'), { version: '1.1.0' })
    const before = await signed(workspace, '1.1.0')
    expect(await amending(workspace, unyank, { version: '1.1.0' })).toMatchObject({ changed: false })
    await amending(workspace, yanked('loses settings'), { version: '1.1.0' })
    expect(await amending(workspace, unyank, { version: '1.1.0' })).toMatchObject({ changed: true })
    expect(await signed(workspace, '1.1.0')).toEqual(before)
    await amending(workspace, steps('100%'), { version: '1.1.0' })
    await amending(workspace, yanked('after all'), { version: '1.1.0' })
    expect((await signed(workspace, '1.1.0')).yanked?.reason).toBe('after all')
  })

  test('what is so already writes nothing', async () => {
    await using workspace = await published()
    await amending(workspace, urgency)
    const before = await fingerprintTree(workspace.repository)
    expect(await amending(workspace, urgency)).toMatchObject({ changed: false, releases: [{ urgent: true }] })
    expect(await fingerprintTree(workspace.repository)).toEqual(before)
  })

  test('a release is published with its rollout, so that nobody has it before', async () => {
    await using workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0', rollout: parseRollout(['10%'], NOW) })
    expect((await signed(workspace)).rollout).toEqual([{ at: NOW.toISOString(), cohorts: 1_000 }])
  })
})

describe('what is refused, and changes nothing', () => {
  test.each<[string, Amendment, Amending, ErrorCode, RegExp]>([
    ['an unknown product', urgency, { product: 'ghost' }, 'PRODUCT_UNKNOWN', /no product ghost/],
    ['an unknown version', urgency, { version: '7.0.0' }, 'RELEASE_UNKNOWN', /no release acme 7\.0\.0$/],
    [
      'an unknown platform',
      urgency,
      { platform: 'linux-x64' },
      'RELEASE_UNKNOWN',
      /no release acme 1\.0\.0 for linux-x64/,
    ],
    ['an expired root', urgency, { now: hoursAfter(NOW, 24 * 4_000) }, 'METADATA_EXPIRED', /role root expired/],
    [
      'a promotion behind what is there',
      to('beta'),
      {},
      'VERSION_NOT_NEWER',
      /acme 1\.1\.0 \(any\) is newer than 1\.0\.0/,
    ],
    ['a yank without a reason', yanked(' '), {}, 'USAGE', /a reason has/],
    ['a yank that leads nowhere', yanked('broken', '9.9.9'), {}, 'RELEASE_UNKNOWN', /there is no acme 9\.9\.9 for any/],
    ['a yank that leads to itself', yanked('broken', '1.0.0'), {}, 'USAGE', /1\.0\.0 is the release that is yanked/],
    [
      'a yank that leads to a yanked one',
      yanked('broken', '1.1.0'),
      {},
      'RELEASE_YANKED',
      /acme 1\.1\.0 \(any\) was yanked/,
    ],
    ['a second yank', yanked('again'), { version: '1.1.0' }, 'RELEASE_YANKED', /yanked at .*: loses settings/],
    ['a promotion of a yanked one', to('nightly'), { version: '1.1.0' }, 'RELEASE_YANKED', /was yanked/],
    ['a rollout of a yanked one', steps('10%'), { version: '1.1.0' }, 'RELEASE_YANKED', /was yanked/],
    ['urgency of a yanked one', urgency, { version: '1.1.0' }, 'RELEASE_YANKED', /was yanked/],
  ])('%s', async (name, amendment, wanted, code, says) => {
    await using workspace = await published()
    const isAboutNewer = name === 'a promotion behind what is there'
    if (!isAboutNewer) await amending(workspace, yanked('loses settings'), { version: '1.1.0' })
    const before = await fingerprintTree(workspace.repository)
    await expect(amending(workspace, amendment, wanted)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(says),
    })
    expect(await fingerprintTree(workspace.repository)).toEqual(before)
  })

  test.each(['acme', 'snapshot', 'timestamp'])(
    'a change that ends before %s leaves everything as it was',
    async (step) => {
      await using workspace = await published()
      const { repository, keys } = workspace
      const before = await fingerprintTree(repository)
      const onStep = (name: string) => {
        if (name === step) throw new Error('no more')
      }
      const request = { repository, product: parseProduct('acme'), version: parseReleaseVersion('1.0.0') }
      await expect(amend(request, urgency, { keys, now: LATER, onStep })).rejects.toThrow('no more')
      expect(await fingerprintTree(repository)).toEqual(before)
    },
  )

  test('a channel is free again once what is newer on it was yanked', async () => {
    await using workspace = await published()
    await amending(workspace, yanked('broken'), { version: '2.0.0' })
    await amending(workspace, yanked('broken'), { version: '1.1.0' })
    expect((await amending(workspace, to('beta'))).releases).toMatchObject([{ channels: ['stable', 'beta'] }])
  })
})

describe('a curve as people write it', () => {
  const at = (hours: number) => hoursAfter(LATER, hours).toISOString()
  test.each<[string, { readonly at: string; readonly cohorts: number }[] | undefined]>([
    ['10', [{ at: at(0), cohorts: 1_000 }]],
    ['0%', [{ at: at(0), cohorts: 0 }]],
    ['0.01%', [{ at: at(0), cohorts: 1 }]],
    ['33.33%', [{ at: at(0), cohorts: 3_333 }]],
    ['100%', undefined],
    ['100%@1h', [{ at: at(1), cohorts: 10_000 }]],
    [
      '1% 10%@12h 100%@2d',
      [
        { at: at(0), cohorts: 100 },
        { at: at(12), cohorts: 1_000 },
        { at: at(48), cohorts: 10_000 },
      ],
    ],
    ['5%@2026-03-01T14:00:00+01:00', [{ at: '2026-03-01T13:00:00.000Z', cohorts: 500 }]],
  ])('%s', (curve, expected) => {
    expect(parseRollout(curve.split(' '), LATER)).toEqual(expected)
  })

  test.each([
    '101%',
    '-1%',
    '1.234%',
    'ten',
    '',
    '10%@',
    '10%@soon',
    '10%@2026-03-01',
    '50% 10%@1h',
    '10% 20%',
    '1%@2d 2%@1d',
  ])('%j is none', (curve) => {
    expect(() => parseRollout(curve.split(' '), LATER)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

describe('the commands', () => {
  test('say what is signed now, as text and as one JSON object, and exit by what was wrong', async () => {
    await using workspace = await openRepositoryWorkspace()
    const at = new Date()
    await release(workspace, { version: '1.0.0' }, { now: at })
    await release(workspace, { version: '1.1.0', channels: ['beta'] }, { now: at })
    const acme = (command: string, version: string, ...rest: string[]) =>
      runPublisher(workspace.directory, [command, 'acme', version, ...rest, '--repo', 'r'])

    const promoted = await acme('promote', '1.1.0', '--to', 'stable')
    expect(promoted).toMatchObject({ code: 0, stderr: '' })
    expect(promoted.stdout).toMatch(/^acme 1\.1\.0: signed anew\n {2}any +on beta, stable; for all machines\n/)
    const rolled = await acme('rollout', '1.1.0', '10%', '100%@3d', '--json')
    expect(JSON.parse(rolled.stdout)).toMatchObject({
      product: 'acme',
      version: '1.1.0',
      changed: true,
      releases: [{ rollout: [{ cohorts: 1_000 }, { cohorts: 10_000 }] }],
      metadataVersions: { acme: 5 },
    })
    expect((await acme('urgent', '1.1.0')).stdout).toMatch(/for 10 % from .+, 100 % from .+; urgent/)
    expect((await acme('urgent', '1.1.0')).stdout).toContain('nothing to change')
    expect((await acme('promote', '1.0.0', '--to', 'beta')).code).toBe(4)
    expect((await acme('yank', '1.1.0', '--instead', '1.0.0', '--reason', 'loses settings')).stdout).toContain(
      'yanked, machines go to 1.0.0: loses settings',
    )
    const twice = await acme('yank', '1.1.0', '--reason', 'again', '--json')
    expect([twice.code, JSON.parse(twice.stdout)]).toMatchObject([4, { error: { code: 'RELEASE_YANKED' } }])
    expect((await acme('yank', '1.1.0', '--undo')).stdout).toMatch(/signed anew\n {2}any +on beta, stable; for 10 %/)
    expect((await acme('yank', '1.1.0', '--undo', '--reason', 'x')).code).toBe(2)
  })

  test.each(['promote', 'rollout', 'yank', 'urgent'])('%s --help shows an example', async (command) => {
    await using workspace = await openRepositoryWorkspace()
    const { code, stdout } = await runPublisher(workspace.directory, [command, '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ {2}\$ updraft-publisher /m)
  })

  test.each<[string, readonly string[], number, RegExp]>([
    ['a percentage out of range', ['rollout', 'acme', '1.0.0', '101%'], 2, /"101%" is not a step/],
    ['no step', ['rollout', 'acme', '1.0.0'], 2, /missing required argument 'step'/],
    ['no reason', ['yank', 'acme', '1.0.0'], 2, /--reason <text>/],
    ['no channel', ['promote', 'acme', '1.0.0'], 2, /--to <channel/],
    ['an unknown version', ['urgent', 'acme', '1.0.0'], 3, /has no release acme 1\.0\.0\n {2}hint: nothing of it/],
  ])('refuses %s', async (_, args, code, says) => {
    await using workspace = await openRepositoryWorkspace()
    const before = await fingerprintTree(workspace.repository)
    const ended = await runPublisher(workspace.directory, [...args, '--repo', 'r'])
    expect(ended.code).toBe(code)
    expect(ended.stderr).toMatch(says)
    expect(await fingerprintTree(workspace.repository)).toEqual(before)
  })
})
