// What a person reads before signing.

import type { Review, ReviewedDocument } from '../../ceremony/review.ts'
import { grouped } from '../fingerprint-text.ts'

export const describeReview = ({ fingerprint, founds, documents, complete }: Review): string =>
  [
    founds
      ? `a new repository, whose first root will be ${fingerprint}\ncompare that with the others who sign:\n${grouped(fingerprint)}`
      : `for the repository whose first root is ${fingerprint}`,
    ...documents.map(describeDocument),
    complete ? '\nenough people have signed' : '',
  ]
    .join('\n')
    .trimEnd()

const describeDocument = ({ role, version, changes, needs }: ReviewedDocument): string => {
  const short = (ids: readonly string[]) => ids.map((id) => id.slice(0, 8)).join(', ')
  return [
    `\n${role}, version ${version}`,
    ...changes.map((line) => (line.startsWith('! ') ? `${line}` : `  ${line}`)),
    ...needs.map(({ threshold, signed, missing }, index) => {
      const whose = needs.length === 1 ? '' : index === 0 ? ' of the root before' : ' of the new root'
      const by = signed.length === 0 ? 'nobody yet' : short(signed)
      return `  needs ${threshold} ${threshold === 1 ? 'signature' : 'signatures'}${whose}: ${by}${missing.length === 0 ? '' : `; may still sign: ${short(missing)}`}`
    }),
  ].join('\n')
}
