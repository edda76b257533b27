// The trees that are published: one of large files, one of many small ones, and the same with one part in a hundred changed.
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pseudoText } from '../../support/small-build.ts'

const MIB = 1024 * 1024
const LARGE_FILES = 16
/** Half of it compresses as prose does, half not at all, as in a build with programs and pictures. */
const TEXT_SHARE = 0.5

/** `mib` MiB in sixteen files. Nothing in it repeats. */
export const makeLargeTree = async (folder: string, mib: number): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const bytes = Math.floor((mib * MIB) / LARGE_FILES)
  for (let number = 0; number < LARGE_FILES; number += 1) {
    const isText = number / LARGE_FILES < TEXT_SHARE
    await writeFile(join(folder, `${number}.bin`), isText ? pseudoText(bytes, number + 1) : randomBytes(bytes))
  }
}

const SMALL_LENGTH_BYTES = 6_000

/** `count` files of about 6 KB in folders of a hundred. */
export const makeSmallTree = async (folder: string, count: number): Promise<void> => {
  for (let number = 0; number < count; number += 1) {
    const inside = join(folder, `${Math.floor(number / 100)}`)
    if (number % 100 === 0) await mkdir(inside, { recursive: true })
    await writeFile(join(inside, `${number}.txt`), pseudoText(SMALL_LENGTH_BYTES + (number % 997), number + 1))
  }
}

/** Changes a hundredth: in large files a run of bytes of each, otherwise every hundredth file. */
export const changeHundredth = async (folder: string, files: number, isLarge: boolean, mib: number): Promise<void> => {
  if (!isLarge) {
    for (let number = 0; number < files; number += 100) {
      await writeFile(join(folder, `${number / 100}`, `${number}.txt`), pseudoText(SMALL_LENGTH_BYTES, number + 7_777))
    }
    return
  }
  const { open } = await import('node:fs/promises')
  const bytes = Math.floor((mib * MIB) / LARGE_FILES)
  for (let number = 0; number < LARGE_FILES; number += 1) {
    await using file = await open(join(folder, `${number}.bin`), 'r+')
    await file.write(randomBytes(Math.floor(bytes / 100)), 0, Math.floor(bytes / 100), Math.floor(bytes / 3))
  }
}
