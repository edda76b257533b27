// Results as SARIF 2.1.0, the form in which code scanners and CI systems take them. Pure.
// Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
import { pathToFileURL } from 'node:url'
import type { Severity } from '../trust/finding.ts'

export interface SarifResult {
  readonly rule: string
  readonly severity: Severity
  /** One sentence. */
  readonly message: string
  /** The file that it is about. */
  readonly uri: string
}

export interface SarifRun {
  /** The command that ran, and its version. */
  readonly tool: string
  readonly version: string
  /** What was looked at. */
  readonly artifact: { readonly uri: string; readonly role: 'analysisTarget' | 'directory' }
  /** What a rule says when it is broken, by its name. */
  readonly rules: ReadonlyMap<string, string>
  readonly results: readonly SarifResult[]
}

const LEVELS = { error: 'error', warning: 'warning', info: 'note' } as const

export const sarifOf = ({ tool, version, artifact, rules, results }: SarifRun): object => ({
  $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
  version: '2.1.0',
  runs: [
    {
      tool: {
        driver: {
          name: tool,
          semanticVersion: version,
          rules: [...rules].map(([id, text]) => ({ id, shortDescription: { text } })),
        },
      },
      invocations: [{ executionSuccessful: true }],
      artifacts: [{ location: { uri: artifact.uri }, roles: [artifact.role] }],
      results: results.map(({ rule, severity, message, uri }) => ({
        ruleId: rule,
        level: LEVELS[severity],
        message: { text: message },
        locations: [{ physicalLocation: { artifactLocation: { uri } } }],
      })),
    },
  ],
})

export const uriOfPath = (path: string): string => pathToFileURL(path).href
