// Which signatures let keys change: root after root, and the roles that a root names. Each version lists its keys, its
// threshold and who signed it, by number.
import { describe, expect, test } from '@jest/globals'
import { openMachine } from '../support/refreshing.ts'
import {
  ed25519Key,
  keysOf,
  type RepositorySimulator,
  roleOf,
  simulateRepository,
} from '../support/repository-simulator.ts'

interface Version {
  readonly keys: readonly number[]
  readonly threshold: number
  readonly signedBy: readonly number[]
}

const KEYS = Array.from({ length: 6 }, ed25519Key)
const pick = (numbers: readonly number[]) => KEYS.filter((_, number) => numbers.includes(number))

const setRole = ({ signed, signers }: RepositorySimulator, role: string, { keys, threshold, signedBy }: Version) => {
  Object.assign(signed.root?.keys, keysOf(pick(keys)))
  Object.assign(signed.root?.roles, { [role]: roleOf(pick(keys), threshold) })
  signers[role] = [...pick(signedBy)]
}

const of = (keys: readonly number[], threshold: number, signedBy: readonly number[]): Version => ({
  keys,
  threshold,
  signedBy,
})

describe('roots that follow one another', () => {
  test.each([
    ['one key for another, signed by both', [of([1], 1, [1]), of([2], 1, [2, 1]), of([2], 1, [2])]],
    [
      'signatures of strangers beside the right ones',
      [of([1], 1, [3, 1, 4]), of([2], 1, [3, 2, 1, 4]), of([2], 1, [3, 2, 4])],
    ],
    [
      'three of five, in any combination',
      [of([0, 1, 2, 3, 4], 3, [0, 2, 4]), of([0, 1, 2, 3, 4], 3, [0, 4, 1]), of([0, 1, 2, 3, 4], 3, [0, 1, 3])],
    ],
    ['one of five replaced', [of([0, 1, 2, 3, 4], 3, [0, 2, 4]), of([0, 1, 3, 4, 5], 3, [0, 4, 1])]],
    [
      'one of five replaced, each root by keys of its own',
      [of([0, 1, 2, 3, 4], 3, [0, 2, 4]), of([0, 1, 3, 4, 5], 3, [0, 2, 4, 5])],
    ],
    ['a higher threshold', [of([1, 2, 3], 1, [1]), of([1, 2, 3], 2, [1, 2])]],
    ['a lower threshold', [of([1, 2, 3], 2, [1, 2]), of([1, 2, 3], 1, [1, 2]), of([1, 2, 3], 1, [1])]],
  ])('accepts %s', async (_, versions) => {
    const { machine: opened } = await follow(versions)
    await using machine = opened
    await machine.refresh()
    expect(machine.committed()).toMatchObject({ root: versions.length, timestamp: 2 })
  })

  test.each([
    ['the old key did not sign', [of([1], 1, [1]), of([2], 1, [2, 3, 4])]],
    ['the new key did not sign', [of([1], 1, [1]), of([2], 1, [1, 3, 4])]],
    ['too few old keys signed', [of([0, 1, 2, 3, 4], 3, [0, 2, 4]), of([0, 1, 3, 4, 5], 3, [0, 4, 5])]],
    ['too few new keys signed', [of([0, 1, 2, 3, 4], 3, [0, 2, 4]), of([0, 1, 3, 4, 5], 3, [0, 2, 4])]],
    ['the higher threshold is not reached', [of([1, 2, 3], 1, [1]), of([1, 2, 3], 2, [2])]],
    ['the threshold before is not reached', [of([1, 2, 3], 2, [1, 2]), of([1, 2, 3], 1, [1])]],
  ])('refuses one, and stays at the one before, if %s', async (_, versions) => {
    const { machine: opened } = await follow(versions)
    await using machine = opened
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'METADATA_UNTRUSTED' })
    expect(machine.committed()).toEqual({ root: versions.length - 1 })
  })
})

/** A repository whose roots are `versions`, pinned at the first. */
const follow = async (versions: readonly Version[]) => {
  const repository = simulateRepository()
  Object.assign(repository.signed.root ?? {}, { version: 0 })
  for (const version of versions) {
    setRole(repository, 'root', version)
    repository.publish('root')
  }
  repository.publish('targets', 'snapshot', 'timestamp')
  return { repository, machine: await openMachine(repository) }
}

describe.each(['timestamp', 'snapshot', 'targets'])('a new root names new keys for %s', (role) => {
  const rotate = async (version: Version) => {
    const repository = simulateRepository()
    const machine = await openMachine(repository)
    await machine.refresh()
    setRole(repository, role, version)
    repository.publish('root', 'targets', 'snapshot', 'timestamp')
    return machine
  }

  test.each([
    ['one for another', of([2], 1, [2])],
    ['three of five', of([0, 1, 2, 3, 4], 3, [4, 2, 0])],
    ['strangers beside the right one', of([1], 1, [3, 1, 4])],
  ])('accepts %s', async (_, version) => {
    await using machine = await rotate(version)
    await machine.refresh()
    expect(machine.committed()).toMatchObject({ root: 2, [role]: 2 })
  })

  test.each([
    ['the old one did sign', of([2], 1, [1, 3, 4])],
    ['two of three', of([0, 1, 3, 4, 5], 3, [0, 2, 4])],
  ])('refuses if only %s, and keeps the root', async (_, version) => {
    await using machine = await rotate(version)
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'METADATA_UNTRUSTED' })
    expect(machine.committed()).toMatchObject({ root: 2, [role]: 1 })
  })
})

test('a threshold that no keys can reach lets nothing in, and a later root mends it', async () => {
  const repository = simulateRepository()
  await using machine = await openMachine(repository)
  setRole(repository, 'snapshot', of([1], 2, [1]))
  repository.publish('root', 'snapshot', 'timestamp')
  await expect(machine.refresh()).rejects.toMatchObject({
    code: 'METADATA_UNTRUSTED',
    message: expect.stringMatching(/1 of the 2/),
  })
  expect(machine.committed()).toEqual({ root: 2, timestamp: 2 })
  setRole(repository, 'snapshot', of([1], 1, [1]))
  repository.publish('root', 'snapshot', 'timestamp')
  await machine.refresh()
  expect(machine.committed()).toMatchObject({ root: 3, snapshot: 3 })
})
