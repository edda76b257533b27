// The setting `control`: how the control API can be reached besides by the socket of the agent's own user.
import * as z from 'zod'

export interface ControlSettings {
  /** Members of this group may ask as well; undefined is the agent's user alone. */
  readonly socketGroup: string | undefined
  /** Undefined is no port at all. */
  readonly loopback: LoopbackSettings | undefined
}

export interface LoopbackSettings {
  readonly address: '127.0.0.1' | '::1'
  /** TCP port; 0 takes any free one. */
  readonly port: number
  /** Web pages that may ask from a browser, as `scheme://host[:port]`. */
  readonly origins: readonly string[]
}

const originSchema = z.string().superRefine((text, context) => {
  const url = URL.parse(text)
  if (url !== null && /^https?:$/.test(url.protocol) && url.origin === text) return
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(text)} is not an origin: use one such as https://admin.example.com or http://localhost:3000`,
    input: text,
  })
})

const loopbackSchema = z
  .strictObject({
    address: z.enum(['127.0.0.1', '::1']).default('127.0.0.1').describe('Which address of this machine itself'),
    port: z.int().min(0).max(65_535).default(0).describe('TCP port; 0 takes any free one, and status tells which'),
    origins: z
      .array(originSchema)
      .max(32)
      .default([])
      .describe('Web pages that may ask from a browser, such as http://localhost:3000; else none may'),
  })
  .describe('The control API also on a port of this machine, for those who have its token; else only on the socket')

export const controlSchema = z
  .strictObject({
    socketGroup: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'a group has small letters, digits, _ and -, a letter first')
      .optional()
      .describe('Group whose members may ask as well, through the socket; else only the user of the agent may'),
    loopback: loopbackSchema.optional(),
  })
  .describe('Who can reach the control API')
  .transform(
    ({ socketGroup, loopback }): ControlSettings => ({
      socketGroup,
      loopback,
    }),
  )
