// The setting `probe` of a product: how its owner lets the agent find out whether a version that was just installed works.
// Says what is to be asked; asks nothing.
import * as z from 'zod'
import { type ProgramCommand, versionCommandSchema } from './program.ts'

export interface ProbeTimes {
  /** How often the probe may fail before the version counts as unhealthy, plus one. */
  readonly attempts: number
  readonly timeoutSeconds: number
  /** Between two attempts. */
  readonly intervalSeconds: number
}

export type Probe = ProbeTimes &
  (
    | { readonly kind: 'command'; readonly command: ProgramCommand }
    | { readonly kind: 'http'; readonly url: string }
    | { readonly kind: 'stay-up'; readonly command: ProgramCommand; readonly seconds: number }
  )

const urlSchema = z.string().superRefine((text, context) => {
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return
  context.addIssue({
    code: 'custom',
    message: `probe ${JSON.stringify(text)} is not an address: use one such as http://127.0.0.1:8080/health`,
    input: text,
  })
})

const KINDS = ['command', 'http', 'stayUp'] as const

export const probeSchema = z
  .strictObject({
    command: versionCommandSchema
      .optional()
      .describe('Program in the installed version, or with an absolute path, and arguments; healthy if it ends with 0'),
    http: urlSchema.optional().describe('Address that is asked; healthy if it answers with a status from 200 to 299'),
    stayUp: versionCommandSchema
      .optional()
      .describe('Program, like command, that has to run for some seconds; then the agent ends it'),
    seconds: z.int().min(1).max(3_600).optional().describe('How long the program of stayUp has to run'),
    attempts: z.int().min(1).max(100).default(3).describe('Attempts before a version is unhealthy and is left again'),
    timeoutSeconds: z
      .int()
      .min(1)
      .max(3_600)
      .default(30)
      .describe('How long one attempt of command or http may take, in seconds'),
    intervalSeconds: z.int().min(0).max(3_600).default(5).describe('Seconds between two attempts'),
  })
  .meta({ oneOf: [{ required: ['command'] }, { required: ['http'] }, { required: ['stayUp', 'seconds'] }] })
  .describe('How to find out whether a version that was just installed works; if it does not, the agent goes back')
  .superRefine((probe, context) => {
    const fault = (message: string, ...path: string[]) =>
      context.addIssue({ code: 'custom', message, path, input: probe })
    if (KINDS.filter((kind) => probe[kind] !== undefined).length !== 1) fault(`name one of ${KINDS.join(', ')}`)
    else if (probe.stayUp === undefined && probe.seconds !== undefined) fault('belongs to stayUp', 'seconds')
    else if (probe.stayUp !== undefined && probe.seconds === undefined) fault('is missing', 'seconds')
  })
  .transform(({ command, http, stayUp, seconds, ...times }, context): Probe => {
    if (command !== undefined) return { kind: 'command', command, ...times }
    if (http !== undefined) return { kind: 'http', url: http, ...times }
    if (stayUp !== undefined && seconds !== undefined) return { kind: 'stay-up', command: stayUp, seconds, ...times }
    context.addIssue({ code: 'custom', message: `name one of ${KINDS.join(', ')}` })
    return z.NEVER
  })
