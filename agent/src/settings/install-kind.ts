// The setting `install` of a product: how its owner wants a version to be brought into use, beyond the tree that every kind
// has. Publishers have no say in it. Says what is to be done; does nothing.
import { isAbsolute, resolve } from 'node:path'
import * as z from 'zod'
import { ownCommandSchema, type ProgramCommand, versionCommandSchema } from './program.ts'

export type InstallKind =
  /** `products/<product>/current` is all there is. */
  | { readonly kind: 'directory' }
  /** One file of the release is found at a place of its own. */
  | {
      readonly kind: 'file'
      readonly path: string
      /** Which file of the release; undefined is its only one. */
      readonly from?: string | undefined
      /** Digest of a file of somebody else that may be replaced; see activation/file.ts. */
      readonly replaces?: string | undefined
    }
  | {
      readonly kind: 'command'
      readonly command: ProgramCommand
      /** Goes back; undefined runs `command` again, with the version from before. */
      readonly undo?: ProgramCommand | undefined
      readonly timeoutSeconds: number
    }
  /** An extension of VS Code, through the command line of one. */
  | {
      readonly kind: 'vsix'
      readonly cli: ProgramCommand
      readonly from?: string | undefined
      readonly timeoutSeconds: number
    }

export const INSTALL_KINDS = ['directory', 'file', 'command', 'vsix'] as const
export const DIRECTORY: InstallKind = { kind: 'directory' }

/** What decides where a version is in use: two settings that differ in nothing of this are in use at the same place. */
export const identityOf = (install: InstallKind): string => {
  switch (install.kind) {
    case 'directory':
      return JSON.stringify([install.kind])
    case 'file':
      return JSON.stringify([install.kind, install.path, install.from ?? null])
    case 'command':
      return JSON.stringify([install.kind, install.command])
    case 'vsix':
      return JSON.stringify([install.kind, install.cli, install.from ?? null])
  }
}

/** Where a version is in use, for a person to read; undefined for its folder. */
export const placeOfUse = (install: InstallKind): string | undefined => {
  switch (install.kind) {
    case 'directory':
      return undefined
    case 'file':
      return install.path
    case 'command':
      return `by ${install.command.join(' ')}`
    case 'vsix':
      return `in ${install.cli.join(' ')}`
  }
}

const fromSchema = z
  .string()
  .min(1)
  .refine((path) => !isAbsolute(path) && !path.split(/[/\\]/).some((part) => ['', '.', '..'].includes(part)), {
    error: ({ input }) => `${JSON.stringify(input)} is no path below the release: use one such as bin/tool`,
  })
  .optional()
  .describe('Which file of the release, such as bin/tool; else the only one that it has')

const absolute = (what: string) => ({
  error: ({ input }: { readonly input?: unknown }) =>
    `${JSON.stringify([input].flat()[0])} is not an absolute path: ${what}`,
})

const timeoutSeconds = (what: string) => z.int().min(1).max(86_400).default(300).describe(what)

/** The same object in settings, and in the agent's store. */
export const installKindSchema = z
  .discriminatedUnion(
    'kind',
    [
      z
        .strictObject({ kind: z.literal('directory') })
        .describe('A folder, at the link `current` of the product: the default'),
      z
        .strictObject({
          kind: z.literal('file'),
          path: z
            .string()
            .refine(
              (path) => isAbsolute(path) && resolve(path) === path,
              absolute('use one such as /usr/local/bin/tool'),
            )
            .describe('Absolute path at which the file is found, as a link into the installed version'),
          from: fromSchema,
          replaces: z
            .string()
            .regex(/^[0-9a-f]{64}$/, 'is no SHA-256 in hexadecimal')
            .optional()
            .describe('SHA-256 of the file that stands there and may be replaced, once; `install --replace` writes it'),
        })
        .describe('One file at a place of its own'),
      z
        .strictObject({
          kind: z.literal('command'),
          command: versionCommandSchema.describe(
            'Program in the installed version, or with an absolute path, and arguments, that brings a version into use; may be repeated',
          ),
          undo: ownCommandSchema
            .optional()
            .describe(
              'Program with an absolute path, and arguments, that goes back; else command, with the version from before',
            ),
          timeoutSeconds: timeoutSeconds('How long each may take, in seconds'),
        })
        .describe('Whatever a program of the owner does, such as a package installer'),
      z
        .strictObject({
          kind: z.literal('vsix'),
          cli: ownCommandSchema.describe(
            'Command line of VS Code, with an absolute path, and arguments such as --extensions-dir',
          ),
          from: fromSchema,
          timeoutSeconds: timeoutSeconds('How long VS Code may take, in seconds'),
        })
        .describe('An extension, in VS Code'),
    ],
    { error: `name one of the kinds ${INSTALL_KINDS.join(', ')}` },
  )
  .describe('How a version is brought into use; else as a folder')
