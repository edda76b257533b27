// A small build for system tests: every kind of thing that a release can carry, in a few kilobytes.
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** `seed` changes some of the contents and leaves the rest, as a next version does. */
export const makeSmallBuild = async (directory: string, seed = 1): Promise<string> => {
  await mkdir(join(directory, 'bin'), { recursive: true })
  await mkdir(join(directory, 'lib/empty'), { recursive: true })
  await writeFile(join(directory, 'bin/acme'), `#!/bin/sh\necho acme ${seed}\n`)
  await chmod(join(directory, 'bin/acme'), 0o755)
  await symlink('bin/acme', join(directory, 'acme'))
  await writeFile(join(directory, 'lib/stays.txt'), pseudoText(200_000, 7))
  await writeFile(join(directory, 'lib/changes.txt'), pseudoText(50_000, seed))
  await writeFile(join(directory, 'lib/nothing'), '')
  return directory
}

/** Text that compresses as prose does; the same for the same seed. */
export const pseudoText = (lengthBytes: number, seed: number): string => {
  let state = seed * 2_654_435_761
  const next = () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9) >>> 0
    return state
  }
  const words: string[] = []
  for (let length = 0; length < lengthBytes; ) {
    const word = next().toString(36)
    words.push(word)
    length += word.length + 1
  }
  return words.join(' ').slice(0, lengthBytes)
}
