// A proof as SARIF 2.1.0, the form in which code scanners and CI systems take results. Pure.
// Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
import { pathToFileURL } from 'node:url'
import { titleOfFinding } from '@updraft/core/trust/finding'
import type { Proof } from '../proof.ts'

const LEVELS = { error: 'error', warning: 'warning', info: 'note' } as const

const DIFFERENCES = {
  missing: 'a signed file is missing',
  changed: 'a file is not as it was signed',
  extra: 'a file is no part of the release',
} as const

export const sarifOfProof = ({ path, findings, differences, kind }: Proof, version: string): object => {
  const root = pathToFileURL(path).href
  const results = [
    ...findings.map(({ code, severity, message, hint }) => ({
      ruleId: code,
      level: LEVELS[severity],
      message: { text: hint === '' ? message : `${message}; ${hint}` },
      locations: [locationOf(root)],
    })),
    ...differences.map((difference) => ({
      ruleId: `file-${difference.kind}`,
      level: 'error',
      message: { text: `${difference.path}: ${difference.detail}` },
      locations: [locationOf(`${root}/${difference.path.split('/').map(encodeURIComponent).join('/')}`)],
    })),
  ]
  const rules = new Map(findings.map(({ code, message }) => [code, titleOf(code, message)]))
  for (const difference of differences) rules.set(`file-${difference.kind}`, DIFFERENCES[difference.kind])
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'updraft-agent verify',
            semanticVersion: version,
            rules: [...rules].map(([id, text]) => ({ id, shortDescription: { text } })),
          },
        },
        invocations: [{ executionSuccessful: true }],
        artifacts: [{ location: { uri: root }, roles: [kind === 'file' ? 'analysisTarget' : 'directory'] }],
        results,
      },
    ],
  }
}

const locationOf = (uri: string) => ({ physicalLocation: { artifactLocation: { uri } } })

const titleOf = (code: string, message: string): string =>
  titleOfFinding(code) === titleOfFinding('') ? message : titleOfFinding(code)
