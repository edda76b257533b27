// The versions of the agent below a product's folder, as the starter sees them: which one `current` leads to, and how it is led
// back. Knows the layout of `products/` and nothing else of the agent.
import { existsSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { syncFolder } from './record.ts'

/** Name of the folder that `current` leads to; undefined if there is none, or if it has no such program. */
export const currentVersion = (productFolder: string, program: string): string | undefined => {
  try {
    const version = /^versions\/([^/]+)$/.exec(readlinkSync(join(productFolder, 'current')))?.[1]
    return version !== undefined && hasProgram(productFolder, version, program) ? version : undefined
  } catch {
    return undefined
  }
}

export const programOf = (productFolder: string, version: string, program: string): string =>
  join(productFolder, 'versions', version, program)

export const hasProgram = (productFolder: string, version: string, program: string): boolean =>
  existsSync(programOf(productFolder, version, program))

/** In one step, and on the disk when this returns. Undefined takes `current` away. */
export const leadCurrentTo = (productFolder: string, version: string | undefined): void => {
  const current = join(productFolder, 'current')
  if (version === undefined) rmSync(current, { force: true })
  else {
    const temporary = join(productFolder, '.current.starter')
    rmSync(temporary, { force: true })
    symlinkSync(join('versions', version), temporary)
    renameSync(temporary, current)
  }
  syncFolder(productFolder)
}
