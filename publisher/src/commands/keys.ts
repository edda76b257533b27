// `keys`: what can be done with keys before and beside signing.
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { addCertificateCommands } from './keys/certificate.ts'
import { addConnectCommand } from './keys/connect.ts'
import { addExportKeyCommand } from './keys/export.ts'
import { addGenerateCommand } from './keys/generate.ts'
import { addImportCommand } from './keys/import.ts'
import { addListCommand } from './keys/list.ts'

export const addKeysCommands = (program: Command, context: Context): void => {
  const keys = program.command('keys').description('the keys that sign, and their certificates')
  addGenerateCommand(keys, context)
  addImportCommand(keys, context)
  addExportKeyCommand(keys, context)
  addListCommand(keys, context)
  addConnectCommand(keys, context)
  addCertificateCommands(keys, context)
}
