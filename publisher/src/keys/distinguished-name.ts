// Names in certificates, written by people as `CN=Acme Release Engineering,O=Acme,C=DE`.
import { UpdateError } from '@updraft/core/errors'
import { type Asn1, oid, printable, sequence, set, utf8 } from './asn1.ts'

/** Source: RFC 4519; the lengths are the upper bounds of RFC 5280, appendix A. */
const ATTRIBUTES: Readonly<Record<string, { readonly id: string; readonly lengthMax: number }>> = {
  CN: { id: '2.5.4.3', lengthMax: 64 },
  O: { id: '2.5.4.10', lengthMax: 64 },
  OU: { id: '2.5.4.11', lengthMax: 64 },
  L: { id: '2.5.4.7', lengthMax: 128 },
  ST: { id: '2.5.4.8', lengthMax: 128 },
  C: { id: '2.5.4.6', lengthMax: 2 },
}

/**
 * The name in DER, in the order that it is written in. A comma in a value is written as `\,`.
 *
 * Errors: USAGE.
 */
export const parseDistinguishedName = (text: string): Asn1 => {
  const parts = text
    .split(/(?<!\\),/)
    .map((part) => /^\s*([A-Za-z]+)\s*=\s*(.+?)\s*$/su.exec(part.replaceAll('\\,', ',')))
  const attributes = parts.map((match) => {
    const [, type = '', value = ''] = match ?? []
    const known = Object.hasOwn(ATTRIBUTES, type.toUpperCase()) ? ATTRIBUTES[type.toUpperCase()] : undefined
    if (known === undefined || value.length > known.lengthMax || /\p{Cc}/u.test(value)) throw refused(text)
    const isCountry = type.toUpperCase() === 'C'
    if (isCountry && !/^[A-Z]{2}$/.test(value)) throw refused(text)
    return set(sequence(oid(known.id), isCountry ? printable(value) : utf8(value)))
  })
  if (!parts.some((match) => match?.[1]?.toUpperCase() === 'CN')) throw refused(text)
  return sequence(...attributes)
}

const refused = (text: string): UpdateError =>
  new UpdateError('USAGE', `${JSON.stringify(text)} is not a name for a certificate`, {
    hint: 'write it as CN=Acme Release Engineering,O=Acme,C=DE with CN and any of O, OU, L, ST, C',
  })
