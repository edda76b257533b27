// The trees that are compared: folders that were named, or consecutive releases of npm packages, as anyone can fetch them.
import { spawnSync } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'

export interface Line {
  readonly name: string
  /** Folders of consecutive releases, the oldest first. */
  readonly releases: readonly string[]
}

/** A JavaScript tree, a tree of declarations and code, many small files, and two native binaries (Go, Rust). */
const DEFAULTS: readonly { readonly name: string; readonly versions: readonly string[] }[] = [
  { name: 'webpack', versions: ['5.101.0', '5.101.1', '5.101.2', '5.101.3'] },
  { name: 'typescript', versions: ['5.6.2', '5.6.3', '5.7.2', '5.7.3'] },
  { name: 'date-fns', versions: ['3.5.0', '3.6.0', '4.0.0', '4.1.0'] },
  { name: '@esbuild/linux-x64', versions: ['0.25.6', '0.25.7', '0.25.8', '0.25.9'] },
  { name: '@biomejs/cli-linux-x64', versions: ['2.1.1', '2.1.2', '2.1.3', '2.1.4'] },
]

export const linesOf = async (folders: readonly string[], scratch: string): Promise<readonly Line[]> => {
  if (folders.length === 1) throw new Error('at least two folders are needed: OLD NEW, or OLDEST … NEW')
  if (folders.length > 1) return [{ name: folders.map((folder) => basename(folder)).join(' → '), releases: folders }]
  const lines: Line[] = []
  for (const { name, versions } of DEFAULTS) {
    const releases: string[] = []
    for (const version of versions) releases.push(await fetchPackage(`${name}@${version}`, scratch))
    lines.push({ name: `${name} ${versions.join(' → ')}`, releases })
  }
  return lines
}

const fetchPackage = async (spec: string, scratch: string): Promise<string> => {
  const folder = join(scratch, 'packages', spec.replaceAll('/', '+'))
  await mkdir(folder, { recursive: true })
  run(['npm', 'pack', '--silent', '--pack-destination', folder, spec])
  const [archive = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'))
  await mkdir(join(folder, 'tree'))
  run(['tar', '-xzf', join(folder, archive), '-C', join(folder, 'tree'), '--no-same-owner'])
  return join(folder, 'tree')
}

const run = ([program = '', ...args]: readonly string[]): void => {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`)
}
