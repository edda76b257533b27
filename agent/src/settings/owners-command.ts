// A program that the owner of this machine names in the settings, with its arguments: for a probe, or to put a version into
// use. Never a line for a shell.
import * as z from 'zod'

/** The program is an absolute path, or one inside the installed version. */
export type OwnersCommand = readonly [program: string, ...args: string[]]

export const commandSchema = z.tuple([z.string().min(1)], z.string())
