// Pieces in buckets, the lowest first, and in each bucket by chance. A piece is put, moved and dropped in constant time, so that
// neither a `have` nor a choice walks over all pieces: webtorrent's rarest-first does, and spends two thirds of its time there
// (webtorrent issues 1558 and 2150).

export interface RarityBuckets {
  /** How many pieces are in them. */
  readonly size: number
  /** The lowest bucket that is not empty; undefined if all are. */
  readonly lowest: number | undefined
  holds(index: number): boolean
  /** Puts the piece into a bucket, wherever it was before. */
  put(index: number, bucket: number): void
  drop(index: number): void
  /** What `choose` makes of the first piece that it takes; the lowest bucket comes first. It moves pieces only when it takes one. */
  first<T>(choose: (index: number) => T | undefined): T | undefined
  filter(suits: (index: number) => boolean): number[]
}

export interface RarityBucketsOptions {
  readonly pieces: number
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number
}

export const createRarityBuckets = ({ pieces, random }: RarityBucketsOptions): RarityBuckets => {
  const buckets: number[][] = []
  /** Each piece knows its bucket and its place in it. */
  const bucketOf = new Int32Array(pieces).fill(NOWHERE)
  const placeOf = new Uint32Array(pieces)
  let size = 0

  const drop = (index: number): void => {
    const key = bucketOf[index] ?? NOWHERE
    if (key === NOWHERE) return
    const bucket = buckets[key] ?? []
    const place = placeOf[index] ?? 0
    const last = bucket.pop()
    if (last !== undefined && last !== index) {
      bucket[place] = last
      placeOf[last] = place
    }
    bucketOf[index] = NOWHERE
    size -= 1
  }

  const put = (index: number, key: number): void => {
    if (bucketOf[index] === key) return
    drop(index)
    while (buckets.length <= key) buckets.push([])
    const bucket = buckets[key] ?? []
    // A random place for the newcomer keeps the whole bucket shuffled.
    const place = Math.floor(random() * (bucket.length + 1))
    const displaced = bucket[place]
    if (displaced !== undefined) {
      placeOf[displaced] = bucket.length
      bucket.push(displaced)
    }
    bucket[place] = index
    placeOf[index] = place
    bucketOf[index] = key
    size += 1
  }

  return {
    get size() {
      return size
    },
    get lowest() {
      const key = buckets.findIndex((bucket) => bucket.length > 0)
      return key === -1 ? undefined : key
    },
    holds: (index) => (bucketOf[index] ?? NOWHERE) !== NOWHERE,
    put,
    drop,
    first: (choose) => {
      for (const bucket of buckets) {
        for (const index of bucket) {
          const chosen = choose(index)
          if (chosen !== undefined) return chosen
        }
      }
      return undefined
    },
    filter: (suits) => buckets.flatMap((bucket) => bucket.filter(suits)),
  }
}

const NOWHERE = -1
