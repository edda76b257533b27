// Real disks that fail an agent that stays up: one that is full, one that can only be read. It says so, the old version goes on
// running, and as soon as there is room or access again it updates by itself.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { AgentEvent, Status } from '@updraft/core/control/api'
import type { ErrorCode } from '@updraft/core/errors'
import { type Floors, faultsIn, floorsOf, runningVersion } from '../support/home-check.ts'
import { type MountedAgent, needsMounts, startMounted } from '../support/mounts.ts'
import { describeWith, needsProgram, needsRoot } from '../support/needs.ts'
import { NEW, OLD, OLDER, openUpdateStage, type UpdateStage } from '../support/update-stage.ts'

describeWith([needsRoot, needsProgram('nsenter'), needsProgram('chattr'), needsMounts], 'a disk', () => {
  let stage: UpdateStage
  let floors: Floors
  let home: string
  let copies = 0
  beforeAll(async () => {
    stage = await openUpdateStage()
    home = await stage.home({ from: 'old', isWell: true })
    floors = floorsOf(home)
  }, 180_000)
  afterAll(async () => await stage[Symbol.asyncDispose]())

  const whenUp = async (agent: MountedAgent): Promise<Status> => {
    for (;;) {
      const status = await agent.client.status().catch(() => undefined)
      if (status !== undefined) return status
      const hasEnded = await Promise.race([agent.exited, delay(20, undefined)])
      if (hasEnded !== undefined) throw new Error(agent.stderr())
    }
  }

  /** The first event after `cursor` that `is`. */
  const whenTold = async (agent: MountedAgent, cursor: number, is: (event: AgentEvent) => boolean): Promise<void> => {
    for await (const { event } of agent.client.events(cursor)) if (is(event)) return
    throw new Error(`the agent ended\n${agent.stderr()}`)
  }

  /** It says what is wrong, stays up, and the old version runs; when it is `mended` the new one is installed and shared. */
  const expectUpdated = async (agent: MountedAgent, code: ErrorCode, mend: string): Promise<void> => {
    const { cursor } = await whenUp(agent)
    await whenTold(agent, 0, (event) => event.kind === 'idle' && event.error?.code === code)
    expect((await agent.client.status()).products[0]?.installed?.version).toBe(OLD)
    copies += 2
    const before = join(stage.directory, `c${copies}`)
    agent.copyHome(before)
    expect(await runningVersion(before, [OLDER, OLD, NEW], stage.digestOf)).toBe(OLD)
    agent.mount(mend)
    let isInstalled = false
    await whenTold(agent, cursor, (event) => {
      isInstalled ||= event.kind === 'installed' && event.version === NEW
      return isInstalled && event.kind === 'idle' && event.error === undefined
    })
    const expected = { current: NEW, kept: [OLD, NEW], digestOf: stage.digestOf, floors }
    const after = join(stage.directory, `c${copies + 1}`)
    agent.copyHome(after)
    expect(await faultsIn(after, expected)).toEqual([])
  }

  /** The home on a disk of its own, with room for `files` more files. Bytes there are: a lack of them is seen before it begins. */
  const onDisk = (files: number): string => `
    mount -t tmpfs tmpfs /mnt && mkdir /mnt/all && mount -t tmpfs -o size=2g tmpfs /mnt/all
    cp -a "$HOME_DIR/." /mnt/all && mount --move /mnt/all "$HOME_DIR"
    used=$(df --output=iused "$HOME_DIR" | tail -1)
    mount -o "remount,nr_inodes=$((used + ${files}))" "$HOME_DIR"`

  test('that is full: DISK_FULL, and it goes on once there is room', async () => {
    await using agent = startMounted(home, onDisk(12))
    await expectUpdated(agent, 'DISK_FULL', 'mount -o remount,nr_inodes=100000 "$HOME_DIR"')
  }, 150_000)

  test('of which the folder of versions can only be read: PERMISSION, and it goes on once it can be written', async () => {
    await using agent = startMounted(home, `${onDisk(100_000)}\nchattr +i "$HOME_DIR/products/acme/versions"`)
    await expectUpdated(agent, 'PERMISSION', 'chattr -i "$HOME_DIR/products/acme/versions"')
  }, 150_000)

  test('that can only be read, all of it: the agent ends with 8 and says which folder', async () => {
    const script = 'mount --bind "$HOME_DIR" "$HOME_DIR"; mount -o remount,bind,ro "$HOME_DIR"'
    await using agent = startMounted(home, script)
    expect(await agent.exited).toBe(8)
    expect(agent.stderr()).toMatch(/the agent needs to write in .*EROFS/)
  })
})
