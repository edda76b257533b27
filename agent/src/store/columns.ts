// How columns become values: names get their brands back, JSON text its shape. A column that does not parse is damage,
// which database.ts reports.
import { messageOf } from '@updraft/core/errors'
import { parseChannel, parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import * as z from 'zod'

const attempt =
  <T>(parse: (text: string) => T) =>
  (text: string, context: z.RefinementCtx<string>): T => {
    try {
      return parse(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error), input: text })
      return z.NEVER
    }
  }

export const product = z.string().transform(attempt(parseProduct))
export const version = z.string().transform(attempt(parseReleaseVersion))
export const platform = z.string().transform(attempt(parsePlatform))
export const channel = z.string().transform(attempt(parseChannel))

/** A column that holds JSON text. */
export const json = <T extends z.core.$ZodType>(schema: T) =>
  z
    .string()
    .transform(attempt((text) => JSON.parse(text) as unknown))
    .pipe(schema)

/** NULL becomes undefined. */
export const optional = <T extends z.ZodType>(schema: T) => schema.nullable().transform((value) => value ?? undefined)
