// Chains of releases, each made for one rule of docs/bundle-format.md, and what must come of each release after the first, so
// that no rule is passed by without having been followed.
import { type Nodes, noise, prose } from '../core/bundle/bundle-support.ts'

/** One line per frame, as `frameStories` tells them; `ways` are those of the families. */
export interface Outcome {
  readonly ways: string
  readonly frames: readonly string[]
}

export interface Chain {
  readonly releases: readonly Nodes[]
  readonly outcomes: readonly Outcome[]
}

export const MIB = 1024 * 1024
const KIB = 1024

/** What zstd would take for the beginning of a dictionary in its own format. */
export const DICTIONARY_MAGIC = Buffer.from('37a430ec', 'hex')

/** The same but for one byte in every `step`. */
export const near = (bytes: Uint8Array, step: number, from = 0): Buffer =>
  Buffer.from(bytes.map((byte, index) => ((index + from) % step === 0 ? byte ^ 1 : byte)))

/** In `of` files, of which the first `upTo`. Files of several of these stand between one another. */
const parts = (bytes: Uint8Array, name: string, of = 20, upTo = of): Nodes =>
  Object.fromEntries(
    Array.from({ length: upTo }, (_, number) => [
      `part-${String(number).padStart(2, '0')}${name}`,
      bytes.subarray(Math.floor((bytes.length * number) / of), Math.floor((bytes.length * (number + 1)) / of)),
    ]),
  )

const halfMebibytes = (name: string, seed: string, numbers: readonly number[]): Nodes =>
  Object.fromEntries(
    numbers.map((number, place) => [`${name}${String(place).padStart(2, '0')}`, noise(MIB / 2, `${seed} ${number}`)]),
  )

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index)

const text = (lengthBytes: number, seed: string): Buffer => Buffer.from(prose(lengthBytes, seed))

const KEY = noise(2 * MIB, 'key')

const keptFamily = (): Chain => {
  const [key, other] = [noise(3_000_000, 'kept key'), noise(1_100_000, 'kept other')]
  const similar = near(key.subarray(0, 1_400_000), 3000)
  const second = { ...parts(key, ''), ...parts(other, 'n'), ...parts(similar, 'o') }
  const third = { ...parts(key, ''), ...parts(other, 'n'), ...parts(similar, 'o', 20, 2), z: noise(1_500_000, 'z') }
  return {
    releases: [parts(key, ''), second, third],
    outcomes: [
      { ways: 'keep', frames: ['made of new on 1', 'carried with old'] },
      { ways: 'keep', frames: ['made of new', 'made of old', 'carried with old'] },
    ],
  }
}

const dissolvedFamilies = (): Chain => {
  const moved = halfMebibytes('a', 'first', [...range(0, 9), ...range(16, 25)])
  return {
    releases: [halfMebibytes('p', 'first', range(0, 32)), { ...moved, ...halfMebibytes('p', 'second', range(0, 32)) }],
    outcomes: [{ ways: 'dissolve dissolve', frames: ['made of both', 'made of new', 'made of new', 'made of old'] }],
  }
}

/** A key frame half of which compresses well; only that half stays. `noisyBytes` are in the 1.5 MB that are new. */
const refreshedFamily = (noisyBytes: number, frames: readonly string[]): Chain => {
  const key = text(4_000_000, 'refreshed')
  const added = Buffer.concat([near(key.subarray(0, 1_500_000 - noisyBytes), 2000), noise(noisyBytes, 'added')])
  return {
    releases: [
      { ...parts(key, ''), zz: noise(4_000_000, 'gone') },
      { ...parts(key, ''), ...parts(added, 'n') },
    ],
    outcomes: [{ ways: 'refresh', frames }],
  }
}

const refreshedOfMany = (): Chain => {
  const key = noise(8 * MIB, 'many')
  const similar = range(0, 4).map((number) => (number === 0 ? key : near(key, 3000, number)))
  const small = (seed: number): Buffer => near(key.subarray(300_000, 500_000), 1500, seed)
  const [a = key, b = key, c = key, d = key] = similar.map((bytes, number) =>
    bytes.subarray(0, number === 0 ? 3 * MIB : 5_000_000),
  )
  return {
    releases: [
      Object.fromEntries(similar.map((bytes, number) => [`f${number}`, bytes])),
      { f0: a, f0a: small(1), f1: b, f1a: small(2), f2: c, f2a: small(3), f2b: small(7), f3: d, f4: small(4) },
    ],
    outcomes: [
      {
        ways: 'refresh',
        frames: [
          'made of new on 3',
          'made of new on 4',
          'made of new on 5',
          'made of old',
          'made of old',
          'made of old',
        ],
      },
    ],
  }
}

/** A family of 2 MiB, with new files between its parts that are each too short to stand alone. */
const freshFiles = (freshBytes: number, outcome: Outcome): Chain => ({
  releases: [parts(KEY, '', 65), { ...parts(KEY, '', 65), ...parts(noise(freshBytes, 'fresh'), 'n', 64) }],
  outcomes: [outcome],
})

const runWithoutFamily = (lengthBytes: number, frames: readonly string[]): Chain => ({
  releases: [
    { a: KEY, c: noise(100_000, 'c') },
    { a: KEY, b: noise(lengthBytes, 'run'), c: noise(100_000, 'c') },
  ],
  outcomes: [{ ways: 'keep', frames }],
})

const halfOld = (lengthBytes: number, outcome: Outcome): Chain => ({
  releases: [
    { a: noise(512 * KIB, 'half'), b: noise(1536 * KIB, 'gone') },
    { a: noise(512 * KIB, 'half'), c: noise(lengthBytes, 'new') },
  ],
  outcomes: [outcome],
})

const grownFamily = (lengthBytes: number, outcome: Outcome): Chain => {
  const before = { a: noise(512 * KIB, 'a'), c: noise(512 * KIB, 'c') }
  return {
    releases: [before, { ...before, b: noise(512 * KIB, 'b'), d: noise(lengthBytes, 'd') }],
    outcomes: [outcome],
  }
}

const worthCarrying = (lengthBytes: number, carried: string): Chain => {
  const [x, y, z] = [noise(100_000, 'x'), noise(100_000, 'y'), noise(lengthBytes, 'z')]
  return {
    releases: [{ a: KEY }, { a: KEY, x, y, z }, { a: KEY, x, y }, { a: KEY, x }, { a: KEY }],
    outcomes: [
      { ways: 'keep', frames: ['made of new on 1', 'carried with old'] },
      { ways: 'keep', frames: [`${carried} old on 1`, 'carried with old'] },
      { ways: 'keep', frames: ['made of old on 1', 'carried with old'] },
      { ways: 'keep', frames: ['carried with old'] },
    ],
  }
}

const worthABase = (lengthBytes: number, made: string): Chain => {
  const before = { a: KEY, b: noise(2 * MIB, 'other key') }
  return {
    releases: [before, { ...before, a1: noise(512 * KIB, 'a1'), c: noise(lengthBytes, 'c1') }],
    outcomes: [{ ways: 'keep', frames: [made, 'carried with old'] }],
  }
}

const droppedKeyFrame = (): Chain => {
  const key = noise(MIB, 'dropped')
  return {
    releases: [{ a: key }, { a: near(key, 100) }, { a: near(near(key, 100), 101) }, { a: KEY }, { z: KEY }],
    outcomes: [
      { ways: 'keep', frames: ['made of new on 1', 'carried with nothing'] },
      { ways: 'keep', frames: ['made of new on 1', 'carried with nothing'] },
      { ways: 'keep', frames: ['made of new'] },
      { ways: 'keep', frames: ['carried with old'] },
    ],
  }
}

const sameFrameTwice = (): Chain => {
  const key = noise(1_500_000, 'twice')
  return {
    releases: [{ a: key }, { a: near(key, 1000) }, { a: near(key, 1000), z: key }, { z: key }],
    outcomes: [
      { ways: 'keep', frames: ['made of new on 1', 'carried with nothing'] },
      { ways: 'keep', frames: ['carried with new', 'carried with old on 2', 'carried with nothing'] },
      { ways: 'keep', frames: ['carried with old'] },
    ],
  }
}

const noBaseInAFamily = (): Chain => {
  const a = Buffer.concat([DICTIONARY_MAGIC, KEY])
  const similar = near(a.subarray(100_000, 400_000), 1000)
  return {
    releases: [{ a }, { a, b: similar }, { a: a.subarray(0, 800_000), b: similar, c: near(similar, 900) }],
    outcomes: [
      { ways: 'keep', frames: ['made of new', 'carried with old'] },
      { ways: 'keep refresh', frames: ['made of new on 3', 'made of new', 'made of old', 'carried with old'] },
    ],
  }
}

const similarAmongTheRest = (): Chain => {
  const added = noise(5 * MIB, 'rest')
  const rest = (step: number): Nodes => ({
    n: added,
    o: near(added, step),
    p: noise(3 * MIB, 'p'),
    q: near(added, 3100),
  })
  return {
    releases: [{ k: KEY }, { k: KEY, ...rest(3000) }],
    outcomes: [{ ways: 'keep', frames: ['made of new', 'made of new on 0', 'made of new on 0', 'carried with old'] }],
  }
}

/** A family that loses a part: what is left may cost a quarter more than its share of the key frame, and 4,096 bytes. */
const shrunkFamily = (goneBytes: number, outcome: Outcome): Chain => ({
  releases: [{ x: noise(10_000, 'x'), y: noise(goneBytes, 'y') }, { x: noise(10_000, 'x') }],
  outcomes: [outcome],
})

/** The text packs far better than the key frame that it was in. */
const measuredByOldKeyFrame = (): Chain => {
  const left = prose(2_000_000, 'left')
  return {
    releases: [
      { a: noise(1_500_000, 'gone'), b: left },
      { b: left, c: noise(200_000, 'c') },
    ],
    outcomes: [{ ways: 'refresh', frames: ['made of new on 1', 'made of old'] }],
  }
}

const tooExpensiveToRefresh = (): Chain => {
  const left = prose(2_000_000, 'left')
  const [c, d] = [noise(60_000, 'c'), noise(100_000, 'd')]
  return {
    releases: [
      { a: noise(1_500_000, 'gone'), b: left },
      { b: left, c },
      { b: left.slice(0, 1_000_000), c, d },
    ],
    outcomes: [
      { ways: 'refresh', frames: ['made of new on 1', 'made of old'] },
      { ways: 'dissolve', frames: ['made of both'] },
    ],
  }
}

const replacedFamily = (): Chain => ({
  releases: [{ a: KEY }, { a: noise(2 * MIB, 'other'), z: noise(1_500_000, 'z') }],
  outcomes: [{ ways: 'keep', frames: ['made of new', 'made of new'] }],
})

const betweenFamilies = (): Chain => {
  const p = noise(MIB, 'p')
  return {
    releases: [{ a: KEY }, { a: KEY, p }, { a: KEY, d: near(p.subarray(0, 200_000), 3000), p }],
    outcomes: [
      { ways: 'keep', frames: ['made of new', 'carried with old'] },
      { ways: 'keep keep', frames: ['made of new on 2', 'carried with old', 'carried with old'] },
    ],
  }
}

const FOUR_NEW = Array.from({ length: 4 }, () => 'made of new')
const KEPT = 'carried with old'

export const CHAINS: readonly (readonly [rule: string, make: () => Chain])[] = [
  ['new frames of a kept family with old chunks only stand behind the others', keptFamily],
  ['chunks of dissolved families are packed together, and frames of old ones stand behind', dissolvedFamilies],
  [
    'a frame is worth a base by the key frame before the refresh',
    () => refreshedFamily(300_000, ['made of new on 1', 'made of old']),
  ],
  [
    'a frame is not worth a base by the key frame before the refresh',
    () => refreshedFamily(900_000, ['made of new', 'made of old']),
  ],
  ['what is new is based on the new key frame that follows', refreshedOfMany],
  [
    '32 MiB of fresh chunks stay in their family',
    () => freshFiles(32 * MIB, { ways: 'dissolve', frames: Array.from({ length: 5 }, () => 'made of both') }),
  ],
  [
    'more than 32 MiB of fresh chunks leave their family',
    () => freshFiles(32 * MIB + 1, { ways: 'keep', frames: [...FOUR_NEW, 'made of new', KEPT] }),
  ],
  ['a run of less than 1 MiB joins a family', () => runWithoutFamily(MIB - 1, ['made of new on 1', KEPT])],
  ['a run of 1 MiB joins none', () => runWithoutFamily(MIB, ['made of new', KEPT])],
  [
    'a family of which half is old is refreshed',
    () => halfOld(512 * KIB, { ways: 'refresh', frames: ['made of new on 1', 'made of old'] }),
  ],
  [
    'a family of which less than half is old is dissolved',
    () => halfOld(512 * KIB + 1, { ways: 'dissolve', frames: ['made of both'] }),
  ],
  [
    'a family of twice its key frame is kept',
    () => grownFamily(512 * KIB, { ways: 'keep', frames: ['made of new', KEPT] }),
  ],
  [
    'a family of more than twice its key frame is not kept',
    () => grownFamily(512 * KIB + 1, { ways: 'dissolve', frames: ['made of both'] }),
  ],
  ['a frame with a base is carried while two thirds of it are left', () => worthCarrying(100_000, 'carried with')],
  [
    'a frame with a base is made anew when less than two thirds of it are left',
    () => worthCarrying(100_001, 'made of'),
  ],
  ['a frame of less than 1 MiB keeps a base that is of no use', () => worthABase(512 * KIB - 1, 'made of new on 1')],
  ['a frame of 1 MiB goes without a base that is of no use', () => worthABase(512 * KIB, 'made of new')],
  ['a key frame stays while it is a base, and goes with the last frame based on it', droppedKeyFrame],
  ['a frame is made again although it is carried as a base without chunks', sameFrameTwice],
  ['a key frame that zstd would misread is the base of none', noBaseInAFamily],
  ['chunks without a family are packed as in a first release, some frames based on one another', similarAmongTheRest],
  ['a family stays within its budget', () => shrunkFamily(6_590, { ways: 'keep', frames: [KEPT] })],
  ['a family does not exceed its budget', () => shrunkFamily(6_600, { ways: 'refresh', frames: ['made of old'] })],
  ['a budget goes by the key frame before the refresh', measuredByOldKeyFrame],
  ['a family that would be over its budget refreshed is dissolved', tooExpensiveToRefresh],
  ['a family without any chunk of its key frame drops it, and stays a family', replacedFamily],
  ['a run between two families joins the one before it', betweenFamilies],
]
