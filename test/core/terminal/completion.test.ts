// Completion as the shells themselves do it: of a small tree with everything that can stand in one, and of both programs.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { completionScript, type Shell } from '@updraft/core/terminal/completion'
import { Argument, Command, Option } from 'commander'
import { PROJECT } from '../../../scripts/steps.ts'
import { describeWith, needsProgram } from '../../support/needs.ts'

const tree = new Command('demo-tool').version('1.0.0')
const store = tree.command('store').description("the store's things")
store
  .command('open')
  .description('open: it')
  .argument('<file>')
  .option('-m, --mode <mode>', 'how, in "words"')
  .addOption(new Option('--kind <kind>', 'which').choices(['left', 'right']))
  .option('--no-lock', 'without')
  .addOption(new Option('--secret', 'is not shown').hideHelp())
tree.command('shell').addArgument(new Argument('<shell>').choices(['bash', 'zsh']))

/** What Tab offers after `line`; the last word is the one that is being written. */
const cases: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ['demo-tool ', ['store', 'shell']],
  ['demo-tool st', ['store']],
  ['demo-tool --v', ['--version']],
  ['demo-tool store ', ['open']],
  ['demo-tool store open --', ['--mode', '--kind', '--no-lock', '--help']],
  ['demo-tool store open --mode x --k', ['--kind']],
  ['demo-tool store open --kind ', ['left', 'right']],
  ['demo-tool store open --kind r', ['right']],
  ['demo-tool shell ', ['bash', 'zsh']],
  ['demo-tool shell bash --h', ['--help']],
]

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'updraft-completion-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const run = (shell: Shell, program: readonly string[], script: string): readonly string[] => {
  writeFileSync(join(directory, 'script'), completionScript(tree, shell))
  writeFileSync(join(directory, 'driver'), script)
  const [command = '', ...args] = program
  // An empty folder, so that no file is offered.
  const { status, stdout, stderr } = spawnSync(command, [...args, join(directory, 'driver')], {
    cwd: tmpdir(),
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: directory },
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout.split('\n').filter((line) => line !== '')
}

const wordsOf = (line: string): string =>
  line
    .split(' ')
    .map((word) => `'${word}'`)
    .join(' ')

describeWith([needsProgram('bash')], 'bash', () => {
  test.each(cases)('%s', (line, offered) => {
    const driver = `
      source "$HOME/script"
      complete -p demo-tool | grep -q -- '-F _demo_tool demo-tool' || exit 1
      COMP_WORDS=(${wordsOf(line)}); COMP_CWORD=${line.split(' ').length - 1}
      _demo_tool && printf '%s\\n' "\${COMPREPLY[@]}"`
    expect(run('bash', ['bash', '--norc'], driver)).toEqual(offered)
  })
})

describeWith([needsProgram('zsh')], 'zsh', () => {
  // Its completion needs a terminal; what the function offers is caught where it hands it over.
  test.each(cases)('%s', (line, offered) => {
    const driver = `
      compdef() { [[ "$1 $2" == '_demo_tool demo-tool' ]] || exit 1 }
      _describe() { print -l -- "\${(@)\${(P)2}%%:*}" }
      compadd() { shift; print -l -- "$@" }
      source "$HOME/script"
      words=(${wordsOf(line)}); CURRENT=${line.split(' ').length}
      _demo_tool`
    const prefix = line.split(' ').at(-1) ?? ''
    expect(run('zsh', ['zsh', '-f'], driver).filter((word) => word.startsWith(prefix))).toEqual(offered)
  })
})

describeWith([needsProgram('fish')], 'fish', () => {
  test.each(cases)('%s', (line, offered) => {
    const driver = `source "$HOME/script"; complete -C '${line}'`
    const words = run('fish', ['fish', '--no-config'], driver).map((answer) => answer.replace(/\t.*/, ''))
    expect(words.sort()).toEqual([...offered].sort())
  })
})

describe('the programs', () => {
  test.each([
    ['agent', 'service', ['install', 'uninstall', 'status']],
    ['publisher', 'product', ['add']],
  ])('updraft-%s completes its own commands', (name, command, offered) => {
    const file = join(PROJECT, name, 'bin', `updraft-${name}.mjs`)
    const { stdout } = spawnSync(process.execPath, [file, 'completion', 'bash'], { encoding: 'utf8' })
    writeFileSync(join(directory, 'script'), stdout)
    const driver = `source ${join(directory, 'script')}; COMP_WORDS=(x ${command} ''); COMP_CWORD=2; _updraft_${name}; echo "\${COMPREPLY[@]}"`
    const { stdout: answer, stderr } = spawnSync('bash', ['--norc', '-c', driver], { encoding: 'utf8' })
    expect([answer.trim().split(' '), stderr]).toEqual([offered, ''])
  })
})
