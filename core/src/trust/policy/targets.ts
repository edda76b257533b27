// Rules about what is listed and delegated: snapshot entries, target paths, delegations and their patterns. The grammar
// of products and release paths stands here too, and is the only thing that a context may switch off.
import { LIMITS } from '../../limits.ts'
import { type Product, parseProduct, releaseNameOfIndexPath, URGENT_ROLE } from '../../names.ts'
import {
  type DelegatedRole,
  type Delegations,
  type MetaFile,
  type SignedTargets,
  TOP_LEVEL_ROLES,
  type TufTarget,
} from '../metadata.ts'
import type { PolicyContext, PolicyFault } from '../policy.ts'
import { urgentFaults } from '../urgent.ts'
import { keyFaults, roleFaults } from './roles.ts'
import { isPrototypeName } from './safety.ts'

/** The entries of a snapshot or a timestamp. */
export const metaFaults = (
  role: 'snapshot' | 'timestamp',
  meta: Readonly<Record<string, MetaFile>>,
  { received = false, anyNames = false }: PolicyContext,
): readonly PolicyFault[] => {
  const faults: PolicyFault[] = []
  for (const [file, { length, hashes }] of Object.entries(meta)) {
    const place = `signed.meta.${file}`
    if (role === 'snapshot' && file !== 'targets.json' && !anyNames && !isProductFile(file)) {
      faults.push({ place, message: 'is not the file of a product' })
    }
    if (!received && (length === undefined || hashes?.sha256 === undefined)) {
      faults.push({ place, message: 'has no length or no SHA-256' })
    }
  }
  if (role === 'snapshot' && !Object.hasOwn(meta, 'targets.json')) {
    faults.push({ place: 'signed.meta', message: 'does not list targets.json' })
  }
  return faults
}

/** The top-level targets role and the roles of products. */
export const targetsFaults = (role: string, signed: SignedTargets, context: PolicyContext): readonly PolicyFault[] => {
  const { targets, delegations } = signed
  const { anyNames = false } = context
  const faults = Object.entries(targets).flatMap(([path, target]) =>
    anyNames ? foreignPathFaults(path) : releaseTargetFaults(role, path, target),
  )
  if (!anyNames && role === URGENT_ROLE) {
    faults.push(...urgentFaults(signed.urgent).map((message) => ({ place: 'signed.urgent', message })))
  }
  if (delegations === undefined) return faults
  if (!anyNames && role !== 'targets' && delegations.roles.length > 0) {
    faults.push({ place: 'signed.delegations', message: `the role ${role} delegates further` })
  }
  return [...faults, ...delegationsFaults(delegations, context)]
}

const releaseTargetFaults = (role: string, path: string, { length, hashes }: TufTarget): readonly PolicyFault[] => {
  const place = `signed.targets.${path}`
  // Listed by the top-level role, it would win over what the product's own people signed.
  if (role === 'targets') return [{ place, message: 'is listed by the role targets instead of the role of a product' }]
  const isIndex = path.endsWith('.index')
  const name =
    isIndex || path.endsWith('.torrent') ? releaseNameOfIndexPath(path.replace(/\.torrent$/, '.index')) : undefined
  if (name === undefined) {
    return [{ place, message: 'is not of the form product/version/platform.index or .torrent' }]
  }
  const faults: PolicyFault[] = []
  if (name.product !== role) faults.push({ place, message: `is outside the product ${role}` })
  if (hashes.sha256 === undefined) faults.push({ place, message: 'has no SHA-256' })
  const maxBytes = isIndex ? LIMITS.indexLengthBytes : LIMITS.metainfoLengthBytes
  if (length > maxBytes) faults.push({ place, message: `has ${length} bytes; at most ${maxBytes} are accepted` })
  return faults
}

/** Foreign paths are joined to addresses and folders by others: nothing that climbs, nothing invisible. */
const foreignPathFaults = (path: string): readonly PolicyFault[] => {
  const unsafe = path.split('/').some((part) => part === '' || part === '.' || part === '..')
  return unsafe || /[\\\p{Cc}]/u.test(path)
    ? [{ place: `signed.targets.${path}`, message: 'is not a safe relative path' }]
    : []
}

const delegationsFaults = ({ keys, roles }: Delegations, context: PolicyContext): readonly PolicyFault[] => {
  const seen = new Set<string>()
  const faults = [...keyFaults('signed.delegations.keys', keys)]
  for (const role of roles) {
    const place = `signed.delegations.roles.${role.name}`
    if (seen.has(role.name)) faults.push({ place, message: 'is delegated to twice' })
    seen.add(role.name)
    faults.push(
      ...delegatedNameFaults(place, role.name),
      ...roleFaults(place, role, keys, context),
      ...role.paths.flatMap((pattern) => patternFaults(place, pattern)),
      ...(context.anyNames === true ? [] : productFaults(place, role)),
    )
  }
  return faults
}

const delegatedNameFaults = (place: string, name: string): readonly PolicyFault[] => {
  const faults: PolicyFault[] = []
  if ((TOP_LEVEL_ROLES as readonly string[]).includes(name) || name === 'mirrors') {
    faults.push({ place, message: 'has the name of a top-level role' })
  }
  if (isPrototypeName(name)) faults.push({ place, message: 'has a name that JavaScript objects reserve' })
  // Objects list such names first, whatever the order in the file was; and the order of delegations is their rank.
  if (/^\d+$/.test(name)) faults.push({ place, message: 'has a name that is a number' })
  return faults
}

/**
 * Literals, `*` and `?`. The library that matches them knows far more (braces, classes, negation, comments), of which
 * no other TUF client knows anything; and some of it takes exponential time.
 */
const patternFaults = (place: string, pattern: string): readonly PolicyFault[] => {
  const parts = pattern.split('/')
  const plain = parts.every((part) => /^(?![#!])[^{}[\]()|\\\p{Cc}]+$/u.test(part) && !part.includes('**'))
  return plain
    ? []
    : [{ place: `${place}.paths`, message: `${JSON.stringify(pattern)} is not made of literals, * and ? alone` }]
}

/** A product's role: named like the product, last in its search, and over nothing but the product's own paths. */
const productFaults = (place: string, { name, paths, terminating }: DelegatedRole): readonly PolicyFault[] => {
  const faults: PolicyFault[] = []
  if (!isProduct(name) && name !== URGENT_ROLE) faults.push({ place, message: 'is not the name of a product' })
  if (!terminating) faults.push({ place, message: 'is not terminating' })
  for (const pattern of paths) {
    const [product, ...rest] = pattern.split('/')
    const inside = product === name && rest.length === 2 && rest.every((part) => PATTERN_PART.test(part))
    if (!inside) faults.push({ place: `${place}.paths`, message: `${pattern} is not of the form ${name}/*/*` })
  }
  return faults
}

/** A whole `*`, or a literal that begins like a version or a platform. */
const PATTERN_PART = /^(?:\*|[a-z0-9][a-z0-9.-]*)$/i

const isProductFile = (file: string): boolean =>
  file === `${URGENT_ROLE}.json` || (file.endsWith('.json') && isProduct(file.slice(0, -'.json'.length)))

const isProduct = (name: string): name is Product => {
  try {
    return parseProduct(name) === name
  } catch {
    return false // The caller reports the name together with its place.
  }
}
