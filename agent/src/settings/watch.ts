// Watches the settings file for changes, however an editor writes it (in place, by rename, or for the first time). Only
// says that something changed: reading and judging it is the agent's business.
import { watch } from 'chokidar'
import { settingsPathOf } from '../settings.ts'

/** Whoever writes in place empties the file first: it is looked at once it has kept its length for so long. */
const SETTLED_MS = 200

/** Calls `onChange` after the file appeared, changed or went, until disposed. Errors of the watcher go to `onError`. */
export const watchSettings = async (
  configDirectory: string,
  onChange: () => void,
  onError: (error: unknown) => void,
  { settledMs = SETTLED_MS } = {},
): Promise<AsyncDisposable> => {
  const file = settingsPathOf(configDirectory)
  // The folder is watched, not the file, so that one which does not exist yet is seen when it comes; nothing else in it.
  const watcher = watch(configDirectory, {
    depth: 0,
    ignoreInitial: true,
    awaitWriteFinish: { stabilityThreshold: settledMs, pollInterval: settledMs / 4 },
    ignored: (path) => path !== configDirectory && path !== file,
  })
  watcher.on('add', onChange).on('change', onChange).on('unlink', onChange).on('error', onError)
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()))
  return { [Symbol.asyncDispose]: () => watcher.close() }
}
