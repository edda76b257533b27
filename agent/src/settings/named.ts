// A text of the settings that has a grammar of its own.
import type { UpdateError } from '@updraft/core/errors'
import * as z from 'zod'

/** What `parse` makes of the text; what it throws becomes a fault at that place. */
export const named = <T>(parse: (text: string) => T) =>
  z.string().transform((text, context) => {
    try {
      return parse(text)
    } catch (error) {
      const { message, hint } = error as UpdateError
      context.addIssue({ code: 'custom', message: hint === undefined ? message : `${message}: ${hint}`, input: text })
      return z.NEVER
    }
  })
