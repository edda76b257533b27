// The Problems panel: what is wrong with the agent's settings file, at its line. Faults come from the agent when it refuses a
// change; a source that is not trusted is told at the product that names it. Everything else is about no file.
import { isFindingCode } from '@updraft/core/trust/finding'
import { Diagnostic, DiagnosticSeverity, type Disposable, languages, Position, Range, Uri, workspace } from 'vscode'
import type { Model } from '../state.ts'
import { show } from '../text.ts'
import type { ProblemView, ProductView } from '../view-model.ts'
import { findingTitle, sentence } from './words.ts'

/** A settings file is small; a larger one is not one. */
const LENGTH_MAX = 1024 * 1024

/** Findings that the settings file can be changed for. */
const ABOUT_SETTINGS: ReadonlySet<string> = new Set(['root-unknown'].filter(isFindingCode))

export interface Problems extends Disposable {
  readonly draw: (model: Model) => void
}

/** `settingsFile` knows the path of `agent.json`, if anybody does. */
export const createProblems = (settingsFile: () => string | undefined): Problems => {
  const collection = languages.createDiagnosticCollection('updraft')
  let drawn = ''

  const draw = async (model: Model): Promise<void> => {
    const products = [...model.products.values()].filter(({ findings }) => findings.some(isAboutSettings))
    const stamp = JSON.stringify([model.settingsProblem, products.map(({ key, findings }) => [key, findings])])
    if (stamp === drawn) return
    drawn = stamp
    const path = settingsFile()
    collection.clear()
    if (path === undefined || (model.settingsProblem === undefined && products.length === 0)) return
    const text = products.length === 0 ? '' : await readText(path)
    collection.set(Uri.file(path), [
      ...diagnosticsOfSettings(model.settingsProblem),
      ...products.flatMap((product) => diagnosticsOfProduct(product, text)),
    ])
  }
  return { draw: (model) => void draw(model), dispose: () => collection.dispose() }
}

const isAboutSettings = ({ code }: { readonly code: string }): boolean => ABOUT_SETTINGS.has(code)

/** One for each `:line:column: what` of the agent's message. */
export const diagnosticsOfSettings = (problem: ProblemView | undefined): readonly Diagnostic[] => {
  if (problem === undefined) return []
  const faults = [...problem.message.matchAll(/:(\d{1,6}):(\d{1,6}): (.+?)(?=; [^;]*:\d+:\d+: |$)/g)]
  if (faults.length === 0) return [diagnosticAt(new Position(0, 0), problem.message)]
  return faults.map(([, line, column, what = '']) =>
    diagnosticAt(new Position(Math.max(0, Number(line) - 1), Math.max(0, Number(column) - 1)), what),
  )
}

const diagnosticsOfProduct = ({ key, findings }: ProductView, text: string): readonly Diagnostic[] => {
  const offset = Math.max(0, text.indexOf(JSON.stringify(key)))
  const before = text.slice(0, offset).split('\n')
  const place = new Position(before.length - 1, before.at(-1)?.length ?? 0)
  return findings
    .filter(isAboutSettings)
    .map(({ code, message }) => diagnosticAt(place, show(`${findingTitle(code)}: ${message}`)))
}

/** VS Code marks the word that begins there. */
const diagnosticAt = (place: Position, message: string): Diagnostic => {
  const diagnostic = new Diagnostic(new Range(place, place), sentence(message), DiagnosticSeverity.Error)
  diagnostic.source = 'Updraft'
  return diagnostic
}

const readText = async (path: string): Promise<string> => {
  try {
    const file = Uri.file(path)
    if ((await workspace.fs.stat(file)).size > LENGTH_MAX) return ''
    return Buffer.from(await workspace.fs.readFile(file)).toString('utf8')
  } catch {
    return '' // The finding is told at the head of the file, wherever that is.
  }
}
