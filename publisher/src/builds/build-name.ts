// Which release a build is, by the name of its file or folder. Pure.
import { isUpdateError, UpdateError } from '@updraft/core/errors'
import { type Platform, parsePlatform, parseReleaseVersion, type ReleaseVersion } from '@updraft/core/names'

export interface BuildName {
  readonly version: ReleaseVersion
  /** Undefined if names do not tell. */
  readonly platform: Platform | undefined
}

/** Reads a name. Gives undefined for one that is no build's, and throws for one that would be if it were well-formed. */
export type BuildNames = (name: string) => BuildName | undefined

const PLACES: Readonly<Record<string, string>> = {
  version: '(?<version>.+?)',
  platform: '(?<platform>[a-z0-9]+-[a-z0-9_]+)',
}

/**
 * Names by a pattern such as `acme-{version}-{platform}.exe`.
 *
 * Errors: USAGE if the pattern lacks `{version}` or has a place that is none. The result throws VERSION_INVALID and
 *         PLATFORM_INVALID.
 */
export const buildNames = (pattern: string): BuildNames => {
  const places = [...pattern.matchAll(/\{([^}]*)\}/g)].map(([, place = '']) => place)
  const unknown = places.find((place) => !Object.hasOwn(PLACES, place))
  if (unknown !== undefined || new Set(places).size < places.length || !places.includes('version')) {
    throw new UpdateError('USAGE', `${JSON.stringify(pattern)} is no pattern for the names of builds`, {
      hint: 'it has {version} once, and {platform} at most once, as in: acme-{version}-{platform}',
    })
  }
  const source = pattern
    .split(/(\{[^}]*\})/)
    .map((part) => (part.startsWith('{') ? PLACES[part.slice(1, -1)] : part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')))
    .join('')
  const expression = new RegExp(`^${source}$`)
  return (name) => {
    const { version, platform } = expression.exec(name)?.groups ?? {}
    if (version === undefined) return undefined
    return {
      version: parseReleaseVersion(version),
      platform: platform === undefined ? undefined : parsePlatform(platform),
    }
  }
}

/** For names that are looked at again and again: why this one is no release, or the release. */
export const readBuildName = (names: BuildNames, name: string): BuildName | UpdateError | undefined => {
  try {
    return names(name)
  } catch (error) {
    if (isUpdateError(error)) return error
    throw error
  }
}
