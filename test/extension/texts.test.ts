// The texts of the extension against what there is: whoever is told to run a command finds it, under just this name; what is
// offered beside a warning is for a warning that exists; and no text takes The Update Framework's words for known.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { FINDINGS, isFindingCode } from '@updraft/core/trust/finding'
import { nameOfFinding } from '../../extension/src/finding-names.ts'
import { PROJECT } from '../../scripts/steps.ts'

const read = (file: string): string => readFileSync(join(PROJECT, 'extension', file), 'utf8')

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[]
    readonly menus: Readonly<Record<string, readonly { readonly command: string; readonly when?: string }[]>>
  }
}
const { contributes } = JSON.parse(read('package.json')) as Manifest
const commands = new Set(contributes.commands.map(({ command }) => command))
const texts = JSON.parse(read('package.nls.json')) as Readonly<Record<string, string>>
const titles = new Set([...commands].map((command) => texts[command.replace(/^updraft\./, 'command.')]))

const findingTexts = [...read('src/views/finding-texts.ts').matchAll(/'((?:[^'\\\n]|\\.)*\.)'/g)].map(
  ([, text = '']) => text,
)

describe('the text of a warning', () => {
  test('is found by these tests', () => {
    expect(findingTexts.length).toBeGreaterThan(3 * Object.keys(FINDINGS).length)
  })

  test.each(findingTexts)('takes no word of TUF for known: %s', (text) => {
    expect(text).not.toMatch(/\b(metadata|snapshot|timestamp|targets|threshold|delegat|role|yank|pinned|probe)/i)
    // The one word that nobody gets around, since a person compares it: it is quoted where it is explained.
    if (/\broot\b/.test(text)) expect(text).toMatch(/“root”|this root|their root/)
  })

  test.each(Object.keys(FINDINGS))('%s has a name that takes none for known', (code) => {
    expect(nameOfFinding(code)).not.toMatch(/\b(metadata|snapshot|timestamp|targets|threshold|role|root|yank|probe)/i)
  })
})

test('every command that a text names exists under that name', () => {
  const sources = ['src/views/finding-texts.ts', 'src/views/pages.ts', 'README.md', 'media/walkthrough/product.md']
  const named = sources.flatMap((file) => [...read(file).matchAll(/(?:“|\*\*)Updraft: ([^”*]+)(?:”|\*\*)/g)])
  expect(named.length).toBeGreaterThan(8)
  expect(named.map(([, title = '']) => title).filter((title) => !titles.has(title))).toEqual([])
})

test('every command that a view or a step of the walkthrough offers is there', () => {
  const offered = Object.values(texts).flatMap((text) => [...text.matchAll(/\]\(command:(updraft\.\w+)/g)])
  const inMenus = Object.values(contributes.menus).flat()
  const all = [...offered.map(([, command = '']) => command), ...inMenus.map(({ command }) => command)]
  expect(all.length).toBeGreaterThan(30)
  expect(all.filter((command) => !commands.has(command))).toEqual([])
})

test('what is offered beside a warning is for a warning that exists', () => {
  const conditions = (contributes.menus['view/item/context'] ?? []).map(({ when = '' }) => when)
  const codes = conditions.flatMap((when) => /\^finding \(([^)]+)\)\$/.exec(when)?.[1]?.split('|') ?? [])
  expect(codes.length).toBeGreaterThan(8)
  expect(codes.filter((code) => !isFindingCode(code))).toEqual([])
})
