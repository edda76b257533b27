// The setting `metered`: where the agent has it from whether the connection of this machine costs its owner.
import * as z from 'zod'
import { ownCommandSchema, type ProgramCommand } from './program.ts'

export type MeteredSetting = 'auto' | 'never' | 'always' | { readonly command: ProgramCommand }

export const meteredSchema = z
  .union([
    z.enum(['auto', 'never', 'always']),
    z.strictObject({
      command: ownCommandSchema.describe('Program with an absolute path; ends with 0 if it is metered, with 1 if not'),
    }),
  ])
  .default('auto')
  .describe(
    'Whether the connection of this machine is metered: as NetworkManager says, never, always, or as a program says',
  )
