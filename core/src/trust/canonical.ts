// Canonical JSON: the one byte form of a value that TUF hashes and signs. Integers only; a float has no canonical form.
import { canonicalize } from '@tufjs/canonical-json'

/** Throws a TypeError for a value that has no canonical form. Source: OLPC Canonical JSON; TUF 4.2. */
export const canonicalBytes = (value: unknown): Buffer => Buffer.from(canonicalize(value), 'utf8')
