// Changes of `agent.json` by commands, without touching what a person wrote around them.
import { makeDirectory, readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import type { Channel, Product } from '@updraft/core/names'
import { applyEdits, findNodeAtLocation, modify, parseTree } from 'jsonc-parser'
import { parseSettings, type Settings, settingsPathOf } from '../settings.ts'

/** A change of one product's settings: what is undefined stays as it is. */
export interface ProductEdit {
  readonly name: Product
  readonly source?: string | undefined
  readonly channel?: Channel | undefined
  /** As the file is to say it: an InstallKind, checked like everything that is read from there. */
  readonly install?: object | undefined
}

/**
 * Subscribes to a product, or changes its subscription, and leaves comments and layout of the file as they are.
 *
 * Errors: SETTINGS_INVALID if the file was invalid already, or would be then (a new product needs a source); DISK_FULL,
 *         PERMISSION, IO. The file is as it was in each case.
 */
export const editProduct = (
  configDirectory: string,
  { name, source, channel, install }: ProductEdit,
): Promise<Settings> =>
  editSettings(configDirectory, [
    [['products', name, 'source'], source],
    [['products', name, 'channel'], channel],
    [['products', name, 'install'], install],
  ])

/**
 * Lets peers, trackers and web seeds be on this very machine, unless the file says anything about it already.
 *
 * Errors: as for `editProduct`.
 */
export const proposeAllowLoopback = (configDirectory: string): Promise<Settings> =>
  editSettings(configDirectory, [[['network', 'allowLoopback'], true, 'if-unset']])

type SettingsChange = readonly [path: string[], value: string | boolean | object | undefined, when?: 'if-unset']

const editSettings = async (configDirectory: string, changes: readonly SettingsChange[]): Promise<Settings> => {
  const path = settingsPathOf(configDirectory)
  const before = (await readFileIfThere(path, LIMITS.settingsLengthBytes))?.toString('utf8') ?? ''
  parseSettings(before, path)
  let after = before.trim() === '' ? '{}\n' : before
  for (const [place, value, when] of changes) {
    if (value === undefined || (when === 'if-unset' && isSet(after, place))) continue
    after = applyEdits(after, modify(after, place, value, { formattingOptions: FORMATTING }))
  }
  const settings = parseSettings(after, path)
  if (after !== before) {
    await makeDirectory(configDirectory)
    await writeFileAtomic(path, after.endsWith('\n') ? after : `${after}\n`)
  }
  return settings
}

const isSet = (text: string, place: string[]): boolean => {
  const root = parseTree(text)
  return root !== undefined && findNodeAtLocation(root, place) !== undefined
}

const FORMATTING = { insertSpaces: true, tabSize: 2, eol: '\n' }
