// Loaded before an agent (`--import`), in its worker threads too: wraps what Node has for files and for SQLite, so that each
// operation of the agent passes by fault-points.ts. Production code knows nothing of it.
import fs from 'node:fs'
import fsPromises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { act, enterState, type Operation, stateNow } from './fault-points.ts'
import type { FaultCode } from './faults.ts'

type Arguments = unknown[]
type Work = (...args: Arguments) => unknown
type Wrapped = (this: unknown, ...args: Arguments) => unknown

const real = { ...fs }

const wrap = (target: object, name: string, wrapper: (original: Work) => Wrapped): void => {
  const owner = target as Record<string, Work>
  const original = owner[name]
  if (original === undefined) throw new TypeError(`node has no ${name}`)
  owner[name] = wrapper(original)
}

/** Every call of `name` is the operation that `operationOf` makes of its arguments. */
const watch = (target: object, name: string, operationOf: (args: Arguments, self: unknown) => Operation): void =>
  wrap(
    target,
    name,
    (original) =>
      function (...args) {
        return act(operationOf(args, this), () => original.apply(this, args))
      },
  )

/** The same for a function of node:fs/promises, which fails later and not at once. */
const watchPromise: typeof watch = (target, name, operationOf) =>
  wrap(
    target,
    name,
    (original) =>
      async function (...args) {
        return await act(operationOf(args, this), () => original.apply(this, args))
      },
  )

// ---- paths

/** A part of a folder goes, as when its removal is cut short. */
const removePart = (path: string): void => {
  const [first] = fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ? real.readdirSync(path) : []
  if (first !== undefined) real.rmSync(join(path, String(first)), { recursive: true, force: true })
}

const PATHS: Readonly<Record<string, (args: Arguments) => Omit<Operation, 'name'>>> = {
  mkdir: ([path]) => ({
    path,
    changes: !fs.existsSync(String(path)),
    takesSpace: true,
  }),
  rm: ([path]) => ({
    path,
    changes: fs.existsSync(String(path)),
    half: fs.lstatSync(String(path), { throwIfNoEntry: false })?.isDirectory()
      ? () => removePart(String(path))
      : undefined,
  }),
  mkdtemp: ([path]) => ({ path, changes: true, takesSpace: true }),
  rename: ([, path]) => ({ path, changes: true, takesSpace: true }),
  symlink: ([, path]) => ({ path, changes: true, takesSpace: true }),
  link: ([, path]) => ({ path, changes: true, takesSpace: true }),
  readFile: ([path]) => ({ path }),
  readdir: ([path]) => ({ path }),
  readlink: ([path]) => ({ path }),
}
for (const [name, operationOf] of Object.entries(PATHS)) {
  watch(fs, `${name}Sync`, (args) => ({ name, ...operationOf(args) }))
  watchPromise(fsPromises, name, (args) => ({ name, ...operationOf(args) }))
}

const writeOperation = ([path, content]: Arguments): Operation => {
  const bytes = Buffer.from(content as Uint8Array)
  const half = () => real.writeFileSync(String(path), bytes.subarray(0, bytes.length >> 1))
  return { name: 'write', path, changes: true, takesSpace: true, half }
}
watch(fs, 'writeFileSync', writeOperation)
watchPromise(fsPromises, 'writeFile', writeOperation)

// ---- open files

const openOperation = ([path, flags = 'r']: Arguments): Operation => {
  const { O_CREAT, O_WRONLY, O_RDWR } = fs.constants
  const creates = typeof flags === 'string' ? /[wa]/.test(flags) : (Number(flags) & O_CREAT) !== 0
  if (creates) return { name: 'create', path, changes: !fs.existsSync(String(path)), takesSpace: true }
  const writes = typeof flags === 'string' ? flags.includes('+') : (Number(flags) & (O_WRONLY | O_RDWR)) !== 0
  return { name: writes ? 'open' : 'read', path }
}

/** What is done to an open file, in the arguments that follow the file itself. */
const FILES: Readonly<Record<string, (args: Arguments, file: number) => Omit<Operation, 'name' | 'path'>>> = {
  write: ([bytes, offset, length, position], file) => ({
    changes: true,
    takesSpace: true,
    half: () => real.writeSync(file, bytes as Buffer, Number(offset), Number(length) >> 1, position as number),
  }),
  truncate: () => ({ changes: true, takesSpace: true }),
  chmod: () => ({ changes: true }),
  sync: () => ({}),
}

const pathsOfDescriptors = new Map<unknown, unknown>()
const { openSync } = fs
fs.openSync = (...args) => {
  const file = act(openOperation(args), () => openSync(...args))
  pathsOfDescriptors.set(file, args[0])
  return file
}
for (const [name, operationOf] of Object.entries(FILES)) {
  watch(fs, name === 'write' ? 'writeSync' : `f${name}Sync`, ([file, ...args]) => ({
    name,
    path: pathsOfDescriptors.get(file),
    ...operationOf(args, Number(file)),
  }))
}

const pathsOfHandles = new WeakMap<object, unknown>()
wrap(
  fsPromises,
  'open',
  (original) =>
    async function (...args) {
      const handle = await act(openOperation(args), () => original.apply(this, args) as Promise<object>)
      pathsOfHandles.set(handle, args[0])
      return handle
    },
)
const anyHandle = await fsPromises.open(process.execPath)
await anyHandle.close()
const FileHandle = Object.getPrototypeOf(anyHandle)
for (const [name, operationOf] of Object.entries(FILES)) {
  watchPromise(FileHandle, name, (args, handle) => ({
    name,
    path: pathsOfHandles.get(handle as object),
    ...operationOf(args, (handle as { readonly fd: number }).fd),
  }))
}
watchPromise(FileHandle, 'writeFile', ([content], handle) => {
  const bytes = Buffer.from(content as Uint8Array)
  const { fd } = handle as { readonly fd: number }
  const half = () => real.writeSync(fd, bytes, 0, bytes.length >> 1)
  return { name: 'write', path: pathsOfHandles.get(handle as object), changes: true, takesSpace: true, half }
})

// ---- the database: a transaction is one operation, named after what it writes

let written: Set<string> | undefined
let entered: string | undefined

const sqliteFailure = (code: FaultCode, { name }: Operation): Error =>
  Object.assign(new Error(`${code}: injected, ${name}`), {
    code: 'ERR_SQLITE_ERROR',
    errcode: { ENOSPC: 13, EACCES: 8, EIO: 10 }[code], // SQLITE_FULL, SQLITE_READONLY, SQLITE_IOERR
  })

const actOnDatabase = (name: string, path: string | null, work: () => unknown): unknown =>
  act({ name, path, changes: true, takesSpace: true }, work, sqliteFailure)

wrap(
  DatabaseSync.prototype,
  'exec',
  (original) =>
    function (...args) {
      const sql = String(args[0]).trim()
      const work = () => original.apply(this, args)
      if (sql === 'BEGIN' || sql === 'BEGIN IMMEDIATE') {
        written = new Set()
        entered = undefined
      }
      if (sql === 'ROLLBACK') written = undefined
      if (/^(BEGIN|BEGIN IMMEDIATE|ROLLBACK)$/.test(sql)) return work()
      const path = (this as DatabaseSync).location()
      if (sql !== 'COMMIT') return actOnDatabase(`sql ${sql.split(/[\s;=]+/, 2).join(' ')}`, path, work)
      const what = [...(written ?? [])].join('+')
      written = undefined
      const result = actOnDatabase(what === '' ? 'commit' : `commit of ${what}`, path, work)
      if (entered !== undefined) enterState(entered)
      return result
    },
)
wrap(
  StatementSync.prototype,
  'run',
  (original) =>
    function (...args) {
      const { sourceSQL } = this as StatementSync
      const table = /^\s*(?:INSERT(?: OR REPLACE)? INTO|UPDATE|DELETE FROM) (\w+)/.exec(sourceSQL)?.[1] ?? 'other'
      if (table === 'step') entered = String(args[1])
      written?.add(table === 'step' ? String(entered) : table)
      const work = () => original.apply(this, args)
      return written === undefined ? actOnDatabase(`run ${table}`, DATABASE(), work) : work()
    },
)
/** A statement does not tell its database; only the agent's own is written to outside a transaction. */
const DATABASE = (): string => join(process.env.UPDRAFT_HOME ?? '', 'state/agent.db')

// The first question about the journal is where a look begins.
wrap(
  StatementSync.prototype,
  'all',
  (original) =>
    function (...args) {
      if (stateNow() === 'starting' && / FROM journal /.test((this as StatementSync).sourceSQL)) enterState('checking')
      return original.apply(this, args)
    },
)

// Several such processes share the processors, and a thread takes longer to start than its work in a small update.
os.availableParallelism = () => 1

syncBuiltinESMExports()
