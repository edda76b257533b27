// A proof as SARIF. Pure.
import { sarifOf, uriOfPath } from '@updraft/core/terminal/sarif'
import { titleOfFinding } from '@updraft/core/trust/finding'
import type { Proof } from '../proof.ts'

const DIFFERENCES = {
  missing: 'a signed file is missing',
  changed: 'a file is not as it was signed',
  extra: 'a file is no part of the release',
} as const

export const sarifOfProof = ({ path, findings, differences, kind }: Proof, version: string): object => {
  const root = uriOfPath(path)
  const rules = new Map(findings.map(({ code, message }) => [code, titleOf(code, message)]))
  for (const difference of differences) rules.set(`file-${difference.kind}`, DIFFERENCES[difference.kind])
  return sarifOf({
    tool: 'updraft-agent verify',
    version,
    artifact: { uri: root, role: kind === 'file' ? 'analysisTarget' : 'directory' },
    rules,
    results: [
      ...findings.map(({ code, severity, message, hint }) => ({
        rule: code,
        severity,
        message: hint === '' ? message : `${message}; ${hint}`,
        uri: root,
      })),
      ...differences.map(({ kind: what, path: file, detail }) => ({
        rule: `file-${what}`,
        severity: 'error' as const,
        message: `${file}: ${detail}`,
        uri: `${root}/${file.split('/').map(encodeURIComponent).join('/')}`,
      })),
    ],
  })
}

const titleOf = (code: string, message: string): string =>
  titleOfFinding(code) === titleOfFinding('') ? message : titleOfFinding(code)
