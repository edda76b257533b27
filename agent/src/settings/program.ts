// A program that the settings name and the agent runs with its own rights. Grammar only; whether it may be run at this moment is
// looked at when it is.
import { isAbsolute, normalize } from 'node:path'
import * as z from 'zod'

/** A program and its arguments; never a shell line. */
export type ProgramCommand = readonly [program: string, ...args: string[]]

const commandOf = (isAllowed: (program: string) => string | undefined) =>
  z.tuple([z.string().min(1)], z.string()).superRefine(([program], context) => {
    const fault = program.includes('\0') ? 'no path has a NUL in it' : isAllowed(program)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, path: [0], input: program })
  })

/** One with an absolute path. */
export const ownCommandSchema = commandOf((program) =>
  isAbsolute(program) ? undefined : `${JSON.stringify(program)} is not an absolute path`,
)

/** One inside the installed version, or with an absolute path. */
export const versionCommandSchema = commandOf((program) =>
  isAbsolute(program) || !/^\.\.(\/|$)/.test(normalize(program))
    ? undefined
    : `${JSON.stringify(program)} is outside of the installed version: name a program in it, or an absolute path`,
)
