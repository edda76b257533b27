// Releases for the tests of the origin, made by the publisher itself.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parsePlatform, parseReleaseVersion, STABLE_CHANNEL } from '@updraft/core/names'
import { publish } from '../../publisher/src/publish.ts'
import { type makeRepository, PRODUCT } from './origin-support.ts'

/** Publishes a small build that differs from version to version. */
export const publishRelease = async (
  { directory, keysDirectory, keys }: Awaited<ReturnType<typeof makeRepository>>,
  version: string,
  { platform = 'any' }: { readonly platform?: string } = {},
): Promise<void> => {
  const build = await mkdtemp(join(tmpdir(), 'origin-build-'))
  try {
    await writeFile(join(build, 'version.txt'), `${version} ${platform}\n`)
    await writeFile(join(build, 'data.bin'), Buffer.alloc(200_000, version))
    const names = { product: PRODUCT, version: parseReleaseVersion(version), platform: parsePlatform(platform) }
    const request = { ...names, build, repository: directory, keysDirectory, channels: [STABLE_CHANNEL] }
    await publish(request, { keys, now: new Date() })
  } finally {
    await rm(build, { recursive: true })
  }
}
