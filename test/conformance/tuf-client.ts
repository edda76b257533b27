// The agent's refresh room behind the command line of the public tuf-conformance suite (its CLIENT-CLI.md), so that outside
// judges can measure it. Switches off the grammar of names, and nothing else; what it adds is only files for the suite.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf } from '@updraft/core/errors'
import { writeFileAtomic } from '@updraft/core/files/atomic'
import { download } from '../../agent/src/download.ts'
import { fileNameOf, roleOfFile } from '../../agent/src/refresh/file-names.ts'
import { followSource } from '../../agent/src/refresh/follow.ts'
import type { Session } from '../../agent/src/refresh/session.ts'
import { fingerprintOf } from '../../agent/src/trust-store.ts'
import { fileFloors } from '../support/refresh-process.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'metadata-dir': { type: 'string' },
    'metadata-url': { type: 'string' },
    'target-name': { type: 'string', multiple: true },
    'target-dir': { type: 'string' },
    'target-base-url': { type: 'string' },
  },
})

type Option = Exclude<keyof typeof values, 'target-name'>
const option = (name: Option): string => {
  const value = values[name]
  if (value === undefined) throw new Error(`--${name} is missing`)
  return value
}
const withSlash = (url: string): string => (url.endsWith('/') ? url : `${url}/`)

/** What the agent keeps; the suite looks at the files beside it. */
const privateFolder = (): string => join(option('metadata-dir'), '.agent')
const pinnedRoot = (): string => join(privateFolder(), 'root.json')
const cacheFolder = (): string => join(privateFolder(), 'cache')

const init = async (trustedRoot: string): Promise<void> => {
  await mkdir(privateFolder(), { recursive: true })
  await copyFile(trustedRoot, pinnedRoot())
  await showTrusted()
}

const follow = async (use: (session: Session) => Promise<void>): Promise<void> => {
  const rootBytes = readFileSync(pinnedRoot())
  try {
    await followSource(
      {
        name: 'conformance',
        metadataUrls: [withSlash(option('metadata-url'))],
        rootBytes,
        pin: fingerprintOf(rootBytes),
      },
      {
        directory: cacheFolder(),
        floors: fileFloors(join(privateFolder(), 'floors.json')),
        now: () => new Date(),
        anyNames: true,
      },
      async (session) => ({ result: await use(session) }),
    )
  } finally {
    await showTrusted()
  }
}

/** Copies what is trusted to where the suite looks for it, under names without versions. */
const showTrusted = async (): Promise<void> => {
  const directory = option('metadata-dir')
  for (const name of await readdir(directory)) if (name.endsWith('.json')) await rm(join(directory, name))
  await copyFile(pinnedRoot(), join(directory, 'root.json'))
  const link = join(cacheFolder(), 'current')
  const copy = await readlink(link).catch(() => undefined)
  if (copy === undefined) return
  const files = (await readdir(link)).flatMap((name) => ({ name, ...roleOfFile(name) }))
  for (const { name, role = '' } of files.sort((a, b) => (a.version ?? 0) - (b.version ?? 0))) {
    await copyFile(join(link, name), join(directory, fileNameOf({ role })))
  }
}

const downloadTarget = async (session: Session, path: string): Promise<void> => {
  const target = await session.find(path)
  if (target === undefined) throw new Error(`${path} is not a target`)
  const digests = Object.entries(target.hashes)
  const [hash] = Object.values(target.hashes)
  const isRight = (bytes: Buffer) =>
    bytes.length === target.length &&
    digests.length > 0 &&
    digests.every(([name, value]) => createHash(name).update(bytes).digest('hex') === value)

  const file = join(option('target-dir'), encodeURIComponent(path))
  if (existsSync(file) && isRight(await readFile(file))) return
  const { dir, base } = posix.parse(path)
  const name = [...dir.split('/').filter((part) => part !== ''), `${hash}.${base}`].map(encodeURIComponent).join('/')
  const url = `${withSlash(option('target-base-url'))}${name}`
  const answer = await download(url, { maxBytes: target.length, timeoutMs: 30_000 })
  if (answer.kind === 'missing' || !isRight(answer.bytes)) throw new Error(`${url} is not what was signed`)
  await writeFileAtomic(file, answer.bytes)
}

const run = async ([command, argument = '']: readonly string[]): Promise<void> => {
  switch (command) {
    case 'init':
      return init(argument)
    case 'refresh':
      return follow(async () => {})
    case 'download':
      return follow(async (session) => {
        for (const path of values['target-name'] ?? []) await downloadTarget(session, path)
      })
    default:
      throw new Error(`unknown command ${command}`)
  }
}

try {
  await run(positionals)
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = 1
}
