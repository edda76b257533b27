// What a yank means for a machine: which releases are left, and where a machine goes whose own release was yanked. Pure. This is
// the only way to an older version, and it takes the publisher's signature; the floors of metadata versions stay as they are.
import type { ReleaseVersion } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import type { ProductSettings } from '../settings.ts'
import type { NewFinding } from '../store/findings.ts'
import { isForPlatform } from './platform.ts'
import { minuteText } from './times.ts'

interface Described {
  readonly release: Release
}

/** The installed release, if it was yanked. */
export const yankOf = <T extends Described>(
  releases: readonly T[],
  installed: ReleaseVersion | undefined,
): Release | undefined => {
  const found = releases.filter(({ release }) => release.version === installed).map(({ release }) => release)
  // Of one version there may be a build for the platform and one for any; only if all are bad is the installed one.
  return found.every(({ yanked }) => yanked !== undefined) ? found[0] : undefined
}

/**
 * Where machines with `yanked` are sent: along the chain, if that one was yanked as well. Undefined if it leads nowhere in
 * `releases`.
 */
export const wayOutOf = <T extends Described>(yanked: Release, releases: readonly T[]): T | undefined => {
  const been = new Set<ReleaseVersion>()
  for (let goTo = yanked.yanked?.goTo; goTo !== undefined && !been.has(goTo); ) {
    been.add(goTo)
    const there = releases.filter(({ release }) => release.version === goTo)
    const standing = there.find(({ release }) => release.yanked === undefined)
    if (standing !== undefined) return standing
    goTo = there[0]?.release.yanked?.goTo
  }
  return undefined
}

/** What the owner of a machine has to know that runs a yanked release; nothing else does. */
export const findingsOfYank = <T extends Described>(
  product: Pick<ProductSettings, 'name' | 'platform'>,
  releases: readonly T[],
  installed: ReleaseVersion | undefined,
): readonly NewFinding[] => {
  const forMachine = releases.filter(({ release }) => isForPlatform(release, product))
  const release = yankOf(forMachine, installed)
  if (release?.yanked === undefined) return []
  const { at, reason, goTo } = release.yanked
  return [
    {
      code: 'release-yanked',
      message: `${release.version} was withdrawn at ${minuteText(new Date(at))}: ${reason}`,
      hint:
        goTo === undefined
          ? `it stays until a newer release comes; whether to go on using it is for you to decide`
          : `the agent goes to ${goTo} by itself, unless a rule is in the way: updraft-agent why ${product.name}`,
    },
  ]
}
