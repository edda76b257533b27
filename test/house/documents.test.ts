// Documents that a program could contradict are compared with the program.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { EXIT_CODES } from '@updraft/core/errors'
import { PROJECT } from '../../scripts/steps.ts'

const read = (file: string): string => readFileSync(join(PROJECT, file), 'utf8')
const documents = globSync('{*.md,docs/**/*.md,extension/*.md,test/**/*.md}', { cwd: PROJECT }).sort()
const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts

test("the README's table of exit codes is the program's", () => {
  const rows = [...read('README.md').matchAll(/^\| (\d+) \| (\w+) \| .+ \|$/gm)].map(([, code, name]) => [
    name,
    Number(code),
  ])
  expect(Object.fromEntries(rows)).toEqual(EXIT_CODES)
})

describe.each(documents.map((file) => [file]))('%s', (file) => {
  test('names only npm scripts that exist', () => {
    const named = [...read(file).matchAll(/\bnpm (?:run )?(start|test|(?<=run )[a-z:]+)/g)].map(
      ([, name]) => name ?? '',
    )
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })

  test('links only to files that exist', () => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, link]) => link ?? '')
    expect(links.filter((link) => !existsSync(join(PROJECT, dirname(file), link)))).toEqual([])
  })
})

test('every test that ARCHITECTURE.md names is there', () => {
  const named = [...read('ARCHITECTURE.md').matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path ?? '')
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((path) => !existsSync(join(PROJECT, path)))).toEqual([])
})
