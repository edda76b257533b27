// Our own rules over parsed TUF metadata, on top of the TUF client's: what a repository may say at all. The publisher
// asks before it signs, the agent before it lets the TUF library see a file. Pure; fails closed; verifies no signature.
import { UpdateError } from '../errors.ts'
import { keyFaults, roleFaults } from './policy/roles.ts'
import { unsafeFaults } from './policy/safety.ts'
import { type Shaped, shapeFaults } from './policy/shape.ts'
import { metaFaults, targetsFaults } from './policy/targets.ts'

export interface PolicyFault {
  /** Where in the file: `signed.roles.root.threshold`. */
  readonly place: string
  /** Which rule is broken, with the value, as a clause without a full stop. */
  readonly message: string
}

export interface PolicyContext {
  /**
   * The file came from outside. What is only unwise then passes, because it can never let anything in: a threshold that
   * no set of keys can reach, and snapshot entries without length and SHA-256.
   */
  readonly received?: boolean
  /**
   * Names need not follow the grammar of products and release paths. Only for speaking to foreign TUF repositories, as
   * the public conformance suite does; everything else still holds.
   */
  readonly anyNames?: boolean
}

/**
 * Every rule that `metadata`, the file of `role`, breaks; none if it may be used. Objects of a metadata library are
 * taken in their JSON form.
 *
 * Shape:  the whole file, `{ signed, signatures }`, as parsed JSON.
 */
export const checkMetadata = (role: string, metadata: unknown, context: PolicyContext = {}): readonly PolicyFault[] => {
  const json = plainJson(metadata)
  const unsafe = unsafeFaults(json)
  if (unsafe.length > 0) return unsafe
  const shaped = shapeFaults(role, json)
  return shaped.kind === 'faults' ? shaped.faults : ruleFaults(role, shaped, context)
}

/**
 * The same as an error that lists all of them. `file` names the file to the reader.
 *
 * Errors: METADATA_POLICY.
 */
export const assertMetadataPolicy = (
  role: string,
  metadata: unknown,
  context: PolicyContext = {},
  file = `${role}.json`,
): void => {
  const faults = checkMetadata(role, metadata, context)
  if (faults.length > 0) throw policyError(file, faults)
}

const FAULTS_SHOWN = 8

export const policyError = (file: string, faults: readonly PolicyFault[]): UpdateError => {
  const shown = faults.slice(0, FAULTS_SHOWN).map(({ place, message }) => `${place}: ${message}`)
  const rest = faults.length - shown.length
  return new UpdateError(
    'METADATA_POLICY',
    `${file} breaks ${faults.length === 1 ? 'a rule' : `${faults.length} rules`}: ${shown.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`,
    { hint: 'the publisher of this repository has to correct and sign it again; nothing of it was used' },
  )
}

const ruleFaults = (role: string, shaped: Shaped, context: PolicyContext): readonly PolicyFault[] => {
  switch (shaped.kind) {
    case 'root':
      return [
        ...keyFaults('signed.keys', shaped.signed.keys),
        ...Object.entries(shaped.signed.roles).flatMap(([name, content]) =>
          roleFaults(`signed.roles.${name}`, content, shaped.signed.keys, context),
        ),
      ]
    case 'timestamp':
    case 'snapshot':
      return metaFaults(shaped.kind, shaped.signed.meta, context)
    case 'targets':
      return targetsFaults(role, shaped.signed, context)
  }
}

/** What `toJSON` gives, if it is an object of a library; parsed JSON carries no functions and stays as it is. */
const plainJson = (metadata: unknown): unknown =>
  typeof (metadata as { toJSON?: unknown } | null)?.toJSON === 'function'
    ? JSON.parse(JSON.stringify(metadata))
    : metadata
