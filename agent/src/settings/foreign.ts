// Whether somebody else could put another program in the place of one that the settings name: then running it would give them
// the rights of the agent. Looks at owners and modes only.
import { lstat, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute } from 'node:path'
import type { Settings } from '../settings.ts'
import type { InstallKind } from './install-kind.ts'
import { faultIn } from './json-with-comments.ts'

/**
 * Why the program is not the agent's to run, or undefined. One that is not there belongs to nobody.
 *
 * Source: as sshd does with the files that it trusts (sshd_config(5), StrictModes).
 */
export const foreignerOf = async (program: string, uid = process.getuid?.()): Promise<string | undefined> => {
  if (uid === undefined) return undefined // Windows has other owners.
  const real = await realpath(program).catch(() => undefined) // Gone, or not to be seen: running it tells.
  if (real === undefined) return undefined
  for (const path of new Set([...withFolders(program), ...withFolders(real)])) {
    const [named, found] = await Promise.all([lstat(path), stat(path)])
    const owner = [named.uid, found.uid].find((other) => other !== 0 && other !== uid)
    if (owner !== undefined) return `${path} belongs to user ${owner}, who is neither root nor the user of this agent`
    const isShared = (found.mode & 0o002) !== 0 && (found.mode & 0o1000) === 0
    if (isShared) return `everybody may write to ${path}`
  }
  return undefined
}

/** The path itself, and every folder above it. */
const withFolders = (path: string): readonly string[] =>
  dirname(path) === path ? [path] : [path, ...withFolders(dirname(path))]

/** Errors: SETTINGS_INVALID if one belongs to another user: who may run as this one is not for them to say. */
export const assertOwnPrograms = async ({ products, metered }: Settings, text: string, path: string): Promise<void> => {
  const programs = [
    ...(typeof metered === 'object' ? [{ program: metered.command[0], at: ['metered', 'command', 0] }] : []),
    ...products.flatMap(({ name, probe }) =>
      probe === undefined || probe.kind === 'http'
        ? []
        : [{ program: probe.command[0], at: ['products', name, 'probe', PROBE_SETTING[probe.kind], 0] }],
    ),
    ...products.flatMap(({ name, install }) =>
      programsOf(install).map(({ program, setting }) => ({ program, at: ['products', name, 'install', setting, 0] })),
    ),
  ]
  for (const { program, at } of programs) {
    const fault = isAbsolute(program) ? await foreignerOf(program) : undefined
    if (fault !== undefined) throw faultIn(text, at, fault, path)
  }
}

const programsOf = (install: InstallKind): readonly { readonly program: string; readonly setting: string }[] => {
  switch (install.kind) {
    case 'command':
      return [
        { program: install.command[0], setting: 'command' },
        ...(install.undo === undefined ? [] : [{ program: install.undo[0], setting: 'undo' }]),
      ]
    case 'vsix':
      return [{ program: install.cli[0], setting: 'cli' }]
    default:
      return []
  }
}

const PROBE_SETTING = { command: 'command', 'stay-up': 'stayUp' } as const
