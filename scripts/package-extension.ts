// The extension as a `.vsix`, made by vsce without asking any server. A warning of vsce is a failure here.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../core/src/terminal/progress.ts'
import { buildExtension, EXTENSION } from './build-extension.ts'
import { PROJECT, runTool } from './steps.ts'

/**
 * Builds the extension, packages it as `outFile` and returns that path.
 *
 * Errors: whatever vsce printed, if it fails or warns of anything.
 */
export const packageExtension = async (outFile: string): Promise<string> => {
  await buildExtension()
  // The project has no public repository that the package could name; everything else that vsce asks for is there.
  const options = ['--no-dependencies', '--allow-missing-repository', '--out', outFile]
  const { passed, output } = await runTool('vsce', '@vscode/vsce/vsce', ['package', ...options], EXTENSION)
  if (!passed || /warning/i.test(output)) throw new Error(`the extension was not packaged cleanly:\n${output}`)
  return outFile
}

if (import.meta.main) {
  const file = await packageExtension(join(PROJECT, 'dist', 'updraft.vsix'))
  process.stdout.write(`${file.slice(PROJECT.length + 1)}  ${formatBytes((await stat(file)).size)}\n`)
}
