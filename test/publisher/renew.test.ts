// Renewal: what is due when, and that only what is due changes.
import { describe, expect, test } from '@jest/globals'
import { renewOnlineRoles, renewRoles } from '../../publisher/src/renew.ts'
import { lockRepository, openRepository } from '../../publisher/src/repository.ts'
import { fingerprintTree, hoursAfter, init, NOW, openWorkspace, type Workspace } from './workspace.ts'

const versionsOf = async ({ repository }: Workspace) =>
  Object.fromEntries(
    (await openRepository(repository)).roles.map(({ role, metadataVersion }) => [role, metadataVersion]),
  )

describe('renewing the online roles', () => {
  test.each<[string, number, readonly string[]]>([
    ['does nothing while more than half of their life is left', 11, []],
    ['renews the timestamp after half a day', 12, ['timestamp']],
    ['renews the snapshot as well after half a week', 84, ['snapshot', 'timestamp']],
    ['renews both when they have long expired', 24 * 300, ['snapshot', 'timestamp']],
  ])('%s', async (_, hours, renewed) => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const before = await fingerprintTree(workspace.repository)
    const now = hoursAfter(NOW, hours)
    const renewal = await renewOnlineRoles(workspace.repository, { keys: workspace.keys, now })
    expect(renewal.renewed).toEqual(renewed)
    expect(renewal.nextDue.getTime()).toBeGreaterThan(now.getTime())
    expect(renewal.repository.roles).toEqual((await openRepository(workspace.repository)).roles)
    const after = await fingerprintTree(workspace.repository)
    const changed = Object.keys(after).filter((name) => after[name] !== before[name])
    expect(changed).toEqual(
      renewed.map((role) => (role === 'snapshot' ? 'metadata/2.snapshot.json' : 'metadata/timestamp.json')),
    )
  })

  test('waits for a publisher at work', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    using _lock = await lockRepository(workspace.repository)
    const due = { keys: workspace.keys, now: hoursAfter(NOW, 20) }
    await expect(renewOnlineRoles(workspace.repository, due)).rejects.toMatchObject({ code: 'LOCKED' })
    await expect(renewOnlineRoles(workspace.repository, { ...due, now: NOW })).resolves.toMatchObject({ renewed: [] })
  })

  test('does not sign for a repository that its keys do not belong to', async () => {
    await using mine = await openWorkspace()
    await using theirs = await openWorkspace()
    await init(mine)
    await init(theirs)
    const due = { keys: mine.keys, now: hoursAfter(NOW, 20) }
    const before = await fingerprintTree(theirs.repository)
    await expect(renewOnlineRoles(theirs.repository, due)).rejects.toMatchObject({ code: 'REPOSITORY_INVALID' })
    expect(await fingerprintTree(theirs.repository)).toEqual(before)
  })

  test('keeps ten superseded snapshots for clients that are in the middle of a refresh', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    for (let week = 1; week <= 14; week += 1) {
      await renewOnlineRoles(workspace.repository, { keys: workspace.keys, now: hoursAfter(NOW, week * 24 * 7) })
    }
    const snapshots = Object.keys(await fingerprintTree(workspace.repository)).filter((name) => /snapshot/.test(name))
    // Swept before the last one was written: versions 4 to 14, and 15.
    expect(snapshots).toHaveLength(12)
    expect((await versionsOf(workspace)).snapshot).toBe(15)
  })
})

describe('renewing other roles', () => {
  test('gives each asked for a new version, and keeps what it says', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const later = hoursAfter(NOW, 24 * 364)
    const { renewed } = await renewRoles(workspace.repository, ['root', 'targets', 'acme'], {
      keys: workspace.keys,
      now: later,
    })
    expect(renewed).toEqual(['root', 'acme', 'targets', 'snapshot', 'timestamp'])
    expect(await versionsOf(workspace)).toEqual({ root: 2, targets: 2, acme: 2, snapshot: 2, timestamp: 2 })
    const { roles, fingerprint, edition } = await openRepository(workspace.repository)
    expect(roles.find(({ role }) => role === 'root')?.expires).toEqual(hoursAfter(later, 24 * 365))
    expect([fingerprint]).toEqual(await workspace.keys.rootFingerprints())
    expect(edition.roots).toHaveLength(2)
  })

  test('refuses a role that is not there', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const options = { keys: workspace.keys, now: NOW }
    await expect(renewRoles(workspace.repository, ['nobody'], options)).rejects.toMatchObject({ code: 'USAGE' })
    expect((await versionsOf(workspace)).timestamp).toBe(1)
  })
})
