// `notes PRODUCT VERSION [FILE|TEXT]`: what is new in a release, shown or signed anew.
import { UpdateError } from '@updraft/core/errors'
import type { Command } from 'commander'
import { notes } from '../amend/notes.ts'
import type { Context } from '../context.ts'
import { findReleases, parseWanted } from '../repository/find-release.ts'
import { openProducts } from '../repository.ts'
import { type AmendCommandOptions, addAmendOptions, runAmend } from './amend-options.ts'
import { readNotes } from './read-notes.ts'

interface NotesCommandOptions extends AmendCommandOptions {
  readonly remove?: true
}

const HELP = `
Examples:
  $ updraft-publisher notes acme 1.4.0 --repo r
  $ updraft-publisher notes acme 1.4.0 CHANGES.md --repo r
  $ updraft-publisher notes acme 1.4.0 "mends the crash at start" --repo r

Showing them needs no key; to change them, the keys of the product, of snapshot and of timestamp have to be at hand.`

export const addNotesCommand = (program: Command, context: Context): void => {
  const command = program
    .command('notes')
    .description('show what is new in a release, or sign other notes for it')
    .argument('<product>', 'one of the products of the repository')
    .argument('<version>', 'the release')
    .argument('[notes]', 'a file, or a sentence')
    .option('--remove', 'take the notes away')
    .addHelpText('after', HELP)
  addAmendOptions(command).action(
    async (product: string, version: string, given: string | undefined, options: NotesCommandOptions) => {
      if (given !== undefined && options.remove) throw new UpdateError('USAGE', 'either new notes or --remove')
      if (given === undefined && !options.remove) return await showNotes(product, version, options, context)
      const text = given === undefined ? undefined : await readNotes(given, 'the notes')
      await runAmend(product, version, options, () => notes(text), context)
    },
  )
}

const showNotes = async (
  product: string,
  version: string,
  { repo, platform, json }: NotesCommandOptions,
  { print }: Context,
): Promise<void> => {
  const wanted = parseWanted(product, version, platform)
  const found = findReleases(await openProducts(repo, () => [wanted.product]), wanted).map(({ release }) => release)
  if (json) {
    print(JSON.stringify(found.map((release) => ({ platform: release.platform, notes: release.notes ?? null }))))
    return
  }
  const texts = found.map((release) => release.notes?.trimEnd() ?? 'no notes')
  const [first = ''] = texts
  const isSame = texts.every((each) => each === first)
  print(isSame ? first : found.map((release, row) => `${release.platform}\n${texts[row]}`).join('\n\n'))
}
