// A window as agent.json has it: the grammar is that of window.ts, and whoever adds fields to a window keeps them.
import type { UpdateError } from '@updraft/core/errors'
import * as z from 'zod'
import { parseWindow, type Window, type WrittenWindow } from './window.ts'

export const windowShape = {
  days: z.string().default('mon-sun').describe('Days on which it opens, such as mon-fri or sat,sun; else every day'),
  from: z.string().describe('When it opens, such as 22:00'),
  to: z.string().describe('When it closes, such as 06:00 on the next day; 24:00 is midnight'),
}

/** For `transform`: a fault of the window becomes one of the settings. */
export const readWindow = (written: WrittenWindow, context: z.RefinementCtx): Window => {
  try {
    return parseWindow(written)
  } catch (error) {
    const { message, hint } = error as UpdateError
    context.addIssue({ code: 'custom', message: `${message}: ${hint}`, input: written })
    return z.NEVER
  }
}

export const windowSchema = z
  .strictObject(windowShape)
  .transform(readWindow)
  .describe('A stretch of the week, on the wall clock of the machine')
