// Lets tuf-js read large tables in a time that grows with them. @tufjs/models 5.0.2 copies the whole table for every entry of it, so
// that the delegations of a thousand products take a quarter of a second, and 4,000 targets two, without a pause. What one entry means
// stays the library's to say, and so does everything about small tables. Can go when upstream builds them in one pass
// (github.com/theupdateframework/tuf-js, the `reduce` calls in packages/models/src).
import { Key, MetaFile, Snapshot, TargetFile, Targets } from '@tufjs/models'
import { Delegations } from '@tufjs/models/dist/delegations.js'
import { DelegatedRole } from '@tufjs/models/dist/role.js'

/** Below this the library's own way costs nothing. */
const LARGE_FROM = 32

// biome-ignore lint/suspicious/noExplicitAny: what the library itself takes and gives: JSON that it has not looked at yet.
type Loose = any
type Table = Readonly<Record<string, Loose>>

/** Changes the library's classes, once. */
export const readLargeTables = (): void => {
  if (isDone) return
  isDone = true
  replace(Snapshot, 'meta', (_, entry) => MetaFile.fromJSON(entry))
  replace(Targets, 'targets', (path, entry) => TargetFile.fromJSON(path, entry))
  replaceDelegations()
}

let isDone = false

interface Model {
  fromJSON(data: Loose): Loose
  readonly prototype: { toJSON(): Loose }
}

/** The table `field` apart, entry by entry, and all else by the library. */
const replace = (model: Loose, field: string, read: (name: string, entry: Loose) => unknown): void => {
  const { fromJSON, prototype } = model as Model
  const { toJSON } = prototype
  model.fromJSON = (data: Loose) => {
    if (!isLarge(data?.[field])) return fromJSON.call(model, data)
    const made = fromJSON.call(model, { ...data, [field]: {} })
    made[field] = mapped(data[field], read)
    return made
  }
  prototype.toJSON = function (this: Loose) {
    if (!isLarge(this[field])) return toJSON.call(this)
    return { ...toJSON.call(without(this, field)), [field]: mapped(this[field], (_, entry) => entry.toJSON()) }
  }
}

const replaceDelegations = (): void => {
  const { fromJSON } = Delegations
  const { toJSON } = Delegations.prototype
  Delegations.fromJSON = (data: Loose) => {
    const roles: readonly Loose[] = Array.isArray(data?.roles) ? data.roles : []
    if (!isLarge(data?.keys) || roles.length < LARGE_FROM) return fromJSON.call(Delegations, data)
    const made = fromJSON.call(Delegations, { ...data, keys: {}, roles: [] })
    const read = roles.map((role) => DelegatedRole.fromJSON(role))
    const byName = Object.fromEntries(read.map((role) => [role.name, role]))
    // The library says what is wrong with a name that is there twice.
    if (Object.keys(byName).length < read.length) return fromJSON.call(Delegations, data)
    return new Delegations({ ...made, keys: mapped(data.keys, readKey) as Record<string, Key>, roles: byName })
  }
  Delegations.prototype.toJSON = function (this: Delegations): Loose {
    if (!isLarge(this.keys)) return toJSON.call(this)
    return { ...toJSON.call(without(this, 'keys')), keys: mapped(this.keys, (_, key) => key.toJSON()) }
  }
}

const readKey = (keyId: string, key: Loose): Key => Key.fromJSON(keyId, key)

/** The same object with nothing in the table. */
const without = (model: Loose, field: string): Loose =>
  Object.assign(Object.create(Object.getPrototypeOf(model)), model, { [field]: {} })

const isLarge = (table: unknown): table is Table =>
  isObject(table) &&
  !Array.isArray(table) &&
  Object.keys(table).length >= LARGE_FROM &&
  Object.values(table).every(isObject)

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const mapped = (table: Table, map: (name: string, entry: Loose) => unknown): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(table).map(([name, entry]) => [name, map(name, entry)]))
