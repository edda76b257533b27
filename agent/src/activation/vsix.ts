// Kind `vsix`: an extension, installed into VS Code by its own command line, and confirmed by what that lists afterwards.
import { isUpdateError, UpdateError } from '@updraft/core/errors'
import type { Activator, ActivatorContext, VersionInPlace } from '../activation.ts'
import { endLeftovers } from '../hook/leftovers.ts'
import { type Ended, runHook, wordsOfEnding } from '../hook.ts'
import type { InstallKind } from '../settings/install-kind.ts'
import { fileOf } from './file-of-release.ts'
import { hookMarkOf } from './hook-mark.ts'
import { readVsix, type VsixIdentity } from './vsix-package.ts'

type VsixInstall = Extract<InstallKind, { kind: 'vsix' }>

export const vsixActivator = ({ cli, from, timeoutSeconds }: VsixInstall, context: ActivatorContext): Activator => {
  const { product, productsDirectory, signal } = context
  const fileIn = (version: VersionInPlace) => fileOf(version, from, product, '.vsix')

  const run = async (...args: readonly string[]): Promise<Ended> => {
    await endLeftovers(hookMarkOf(context)) // Of an agent that was killed over it: never two at once.
    const ended = await runHook([...cli, ...args], {
      directory: productsDirectory,
      environment: {},
      mark: hookMarkOf(context),
      timeMs: timeoutSeconds * 1_000,
      atTheEnd: 'ask',
      signal,
    })
    if (ended.ending.kind !== 'not-started') return ended
    throw new UpdateError('KIND_UNFIT', `${cli[0]} ${wordsOfEnding(ended, '')}`, {
      hint: 'name the command line of VS Code in agent.json, as "cli" of "install"',
    })
  }

  /** The version of the extension that VS Code has; undefined if it has none. */
  const listed = async (id: string): Promise<string | undefined> => {
    const ended = await run('--list-extensions', '--show-versions')
    if (!isWell(ended)) throw failed(`VS Code cannot list its extensions: it ${wordsOf(ended)}`)
    const prefix = `${id.toLowerCase()}@`
    const line = ended.stdout.split('\n').find((each) => each.trim().toLowerCase().startsWith(prefix))
    return line?.trim().slice(prefix.length)
  }

  const put = async (version: VersionInPlace): Promise<void> => {
    const file = await fileIn(version)
    const extension = await readVsix(file)
    const ended = await run('--install-extension', file, '--force')
    const has = await listed(extension.id)
    if (has === extension.version) return
    throw failed(`${nameOf(extension)} was not installed: VS Code has ${has ?? 'none of it'}, and ${wordsOf(ended)}`)
  }

  const wordsOf = (ended: Ended) => wordsOfEnding(ended, `still ran after ${timeoutSeconds} s and was ended`)

  return {
    assertFits: async (version) => {
      await readVsix(await fileIn(version))
    },
    activate: put,
    leave: async (left, back) => {
      if (back !== undefined) return put(back)
      const extension = await identityIn(left, fileIn)
      if (extension === undefined || (await listed(extension.id)) === undefined) return
      const ended = await run('--uninstall-extension', extension.id)
      if (!isWell(ended)) throw failed(`${nameOf(extension)} was not uninstalled: VS Code ${wordsOf(ended)}`)
    },
    faultOf: async (version) => {
      const extension = await readVsix(await fileIn(version))
      const has = await listed(extension.id)
      return has === extension.version
        ? undefined
        : `VS Code has ${has ?? 'none'} of ${extension.id}, not ${extension.version}`
    },
  }
}

/** Undefined if the tree was removed already: then the extension was as well. */
const identityIn = async (
  version: VersionInPlace,
  fileIn: (version: VersionInPlace) => Promise<string>,
): Promise<VsixIdentity | undefined> => {
  try {
    return await readVsix(await fileIn(version))
  } catch (error) {
    if (isUpdateError(error)) return undefined
    throw error
  }
}

const isWell = ({ ending }: Ended): boolean => ending.kind === 'exit' && ending.code === 0

const nameOf = ({ id, version }: VsixIdentity): string => `${id} ${version}`

const failed = (message: string): UpdateError =>
  new UpdateError('ACTIVATION_FAILED', message, {
    hint: 'the version is not tried again on this machine; a newer release is, and this one after: updraft-agent retry',
  })
