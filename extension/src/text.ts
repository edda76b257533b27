// What the agent says is hostile: it repeats names and messages of publishers, peers and servers. Everything it says is
// cleaned here, once, before it enters the model; nothing here knows where the text will be shown.

declare const brand: unique symbol
/** One line that is safe to show: no controls, nothing that hides or reorders, no syntax of icons or links, not too long. */
export type Shown = string & { readonly [brand]: 'Shown' }

/** Enough for any sentence of the agent's own; a longer one is a mistake or an attempt to flood the screen. */
const LINE_LENGTH_MAX = 400

/** Unicode's control characters, and its own line and paragraph ends. */
const BREAKS = /[\p{Cc}\p{Zl}\p{Zp}\s]+/gu
/** Formatting (bidirectional overrides, joiners, tags), private and unassigned characters, fillers that look like nothing. */
const INVISIBLE = /[\p{Cf}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]/gu
/** More accents on one letter than any orthography needs paint over the lines above and below. */
const PILED_MARKS = /(\p{M}{2})\p{M}+/gu
const ASCII_PUNCTUATION = /[!-/:-@[-`{-~]/g

/**
 * Makes one displayable line of `text`. Cuts it to `lengthMax` characters, the last one being `…`, and gives `?` for a
 * text of which nothing visible remains. Two things are broken up that VS Code reads even in plain text: `$(name)`, which it
 * draws as an icon in labels, and `[text](address)`, which is a link in notifications, and may be one that runs a command.
 *
 * Source: Unicode Standard Annex 9 (bidirectional overrides), Technical Report 36 (security considerations).
 */
export const show = (text: string, lengthMax = LINE_LENGTH_MAX): Shown => {
  if (text === '') return '' as Shown
  // Most of a huge text is cut off before cleaning, so that it costs nothing.
  const start = text.slice(0, lengthMax * 4)
  const line = start
    .toWellFormed()
    .replace(INVISIBLE, '')
    .replace(BREAKS, ' ')
    .replace(PILED_MARKS, '$1')
    .replaceAll('$(', '$ (')
    .replaceAll('](', '] (')
    .trim()
  if (line === '') return '?' as Shown
  const characters = [...line]
  const fits = characters.length <= lengthMax && start.length === text.length
  return (fits ? line : `${characters.slice(0, lengthMax - 1).join('')}…`) as Shown
}

/** The same line inside Markdown: every character that Markdown could read as markup, or as a link, stands for itself. */
export const asMarkdown = (line: Shown): string => line.replace(ASCII_PUNCTUATION, '\\$&')

/** Whole notes; the agent lets in no longer ones. */
const MARKDOWN_LENGTH_MAX = 64 * 1024
/** Everything of `BREAKS` but tabs and line feeds. */
const CONTROLS = /[[\p{Cc}\p{Zl}\p{Zp}]--[\t\n]]/gv
/** A name before a colon that no space follows: what Markdown may take for the scheme of an address. */
const SCHEME = /\b([a-z][a-z0-9+.-]*)(\\*):(?=\S)/gi
/** Each is broken up by a space, which shows as one in code as well, where an escape would show as itself. */
const ENTITIES = /&(?=#|[a-z][a-z0-9]*;)/gi
const TAGS = /<(?=[a-z/!?])/gi
const PICTURES = /!(?=\[)/g
const HARMLESS_SCHEMES = new Set(['http', 'https'])

/**
 * Markdown of others as Markdown that does nothing: headings, lists and links to the web stay, but there is no HTML, no
 * picture is fetched, and no link runs a command or opens a file.
 */
export const showMarkdown = (text: string): string =>
  text
    .slice(0, MARKDOWN_LENGTH_MAX)
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    .replace(INVISIBLE, '')
    .replace(CONTROLS, ' ')
    .replace(PILED_MARKS, '$1')
    .replace(ENTITIES, '& ')
    .replace(TAGS, '< ')
    .replace(PICTURES, '! ')
    .replace(SCHEME, (all, scheme: string) => (HARMLESS_SCHEMES.has(scheme.toLowerCase()) ? all : `${scheme} :`))
