// The help of every command of the agent: an example that can be copied, and where its exit codes are explained.
import { describe, expect, test } from '@jest/globals'
import type { Context } from '@updraft/agent/commands/context'
import { agentProgram } from '@updraft/agent/program'
import { EXIT_CODES } from '@updraft/core/errors'

type Command = ReturnType<typeof agentProgram>
const program = agentProgram({ version: '0.0.0', environment: {} } as Context)

const helpOf = (command: Command): string => {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
  return help
}
const leavesOf = (command: Command, path: readonly string[] = []): readonly (readonly [string, Command])[] =>
  command.commands.length === 0
    ? [[path.join(' '), command]]
    : command.commands.flatMap((child) => leavesOf(child, [...path, child.name()]))

describe('help', () => {
  test.each(leavesOf(program))('of %s has an example, and says where its exit codes are explained', (path, command) => {
    const help = helpOf(command)
    expect(help).toMatch(new RegExp(`^ {2}\\$ (sudo |source <\\()?updraft-agent ${path}( |$)`, 'm'))
    expect(help).toMatch(/\nWhat the exit codes mean: updraft-agent --help\n$/)
  })

  test('of the whole has every exit code that there is', () => {
    const codes = [...(helpOf(program).split('Exit codes: ')[1] ?? '').matchAll(/\b\d+/g)].map(Number)
    expect(codes).toEqual(Object.values(EXIT_CODES))
  })
})
