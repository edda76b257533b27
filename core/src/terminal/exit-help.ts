// What the help of a program says of its exit codes: all of them once, and with each command where that is.

interface HelpContext {
  readonly command: { readonly parent: unknown }
}

const AGENT_ONLY = `
9 no agent runs, 10 replaced by another version of itself,`

/** For commander's `addHelpText('afterAll', …)` of the whole program. `isAgent`: it can end with 9 and 10 as well. */
export const exitHelp =
  (name: string, isAgent: boolean) =>
  ({ command }: HelpContext): string =>
    command.parent === null
      ? `
Exit codes: 0 well, 1 a defect, 2 usage, 3 input, 4 conflict, 5 credentials, 6 untrusted, 7 unreachable, 8 this machine,${isAgent ? AGENT_ONLY : ''}${isAgent ? ' ' : '\n'}130 interrupted.`
      : `\nWhat the exit codes mean: ${name} --help`
