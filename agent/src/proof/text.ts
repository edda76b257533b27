// A proof in words. Pure.
import type { Proof } from '../proof.ts'

/** Of a tree that was replaced as a whole, the rest says no more than the beginning. */
const DIFFERENCES_SHOWN = 50

export const textOfProof = (proof: Proof): string => {
  const { kind, path, product, source, rootVersion, expires, releases, findings, differences, isGood } = proof
  const shown = differences.slice(0, DIFFERENCES_SHOWN)
  return [
    `${isGood ? 'good' : 'NOT GOOD'}: ${kind === 'file' ? 'file' : 'installed'} ${path}`,
    ...releases.flatMap(({ version, platform, channels, published, infoHash, signers, threshold }) => [
      `  release      ${product} ${version} (${platform}) on ${channels.join(', ')}`,
      `  published    ${published}`,
      `  signed by    ${signers.length} of the keys of ${product}, ${threshold} needed`,
      ...signers.map(({ keyId, name }) => `               ${name === undefined ? '' : `${name} `}${keyId}`),
      `  infohash     ${infoHash}`,
    ]),
    ...(source === undefined
      ? []
      : [`  root         ${source.name}, ${source.fingerprint}, pinned by ${source.pinnedBy}`]),
    ...(rootVersion === undefined ? [] : [`  root in use  version ${rootVersion}`]),
    ...(expires === undefined ? [] : [`  expires      ${expires.at} (${expires.role})`]),
    ...findings.flatMap(({ severity, code, message, hint }) => [
      `  ${severity.padEnd(8)}     ${code}: ${message}`,
      ...(hint === '' ? [] : [`               ${hint}`]),
    ]),
    ...shown.map((difference) => `  ${difference.kind.padEnd(8)}     ${difference.path}: ${difference.detail}`),
    ...(differences.length > shown.length ? [`  and ${differences.length - shown.length} more: see --json`] : []),
  ].join('\n')
}
