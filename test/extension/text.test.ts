import { describe, expect, test } from '@jest/globals'
import { asMarkdown, show, showMarkdown } from '../../extension/src/text.ts'

/** Written as escapes, because an editor would show them as nothing, or in the wrong order. */
const HOSTILE: readonly [name: string, text: string, shown: string][] = [
  ['a line break cannot make a second line', 'acme\r\nall is well', 'acme all is well'],
  ['a terminal escape loses its escape character', '\u001b[31macme\u001b[0m', '[31macme [0m'],
  ['a NUL, a bell and a C1 control are gone', 'a\u0000c\u0007m\u0085e', 'a c m e'],
  ['a bidirectional override cannot turn a name around', 'acme\u202Egpj.exe', 'acmegpj.exe'],
  ['bidirectional isolates and marks are gone', '\u2066a\u2069c\u200Em\u061Ce', 'acme'],
  ['a zero-width character cannot make two equal names differ', 'ac\u200Bm\uFEFFe', 'acme'],
  ['invisible tag characters are gone', 'acme\u{E0041}\u{E0042}', 'acme'],
  ['a Hangul filler, which is a letter that looks like nothing, is gone', 'ac\u3164me', 'acme'],
  ['the separators of lines and paragraphs are spaces', 'a\u2028b\u2029c', 'a b c'],
  ['accents cannot be piled up over other rows', `a${'\u0301'.repeat(50)}cme`, 'a\u0301\u0301cme'],
  ['half a surrogate pair is replaced', 'ac\uD800me', 'ac\uFFFDme'],
  ['the syntax of an icon is broken up', '$(verified) acme', '$ (verified) acme'],
  ['the syntax of an icon cannot be put together from parts', '$\u200B(verified)', '$ (verified)'],
  ['the syntax of a link in a notification is broken up', '[a](command:b)', '[a] (command:b)'],
  ['a text of which nothing is visible is a question mark', '\u200B\u202E \u0000', '?'],
  ['an empty text stays empty', '', ''],
  ['other alphabets, symbols and emoji stay as they are', 'Zürich – Ελλάδα – 日本 😀', 'Zürich – Ελλάδα – 日本 😀'],
]

describe('show', () => {
  test.each(HOSTILE)('%s', (_name, text, shown) => {
    expect(show(text)).toBe(shown)
  })

  test('cuts a long text, and says that it did', () => {
    expect(show('abcdef', 4)).toBe('abc…')
    expect(show('abcd', 4)).toBe('abcd')
  })

  test('counts characters, not halves of them', () => {
    expect(show('😀😀😀😀😀', 4)).toBe('😀😀😀…')
  })

  test('says that it cut also when almost all of the text was invisible', () => {
    expect(show(`ab${'\u200B'.repeat(100)}cd`, 10)).toBe('ab…')
  })

  test('a huge text costs no more than a long one', () => {
    const huge = 'a\u0301'.repeat(20_000_000)
    // CPU time and not time by the clock, which passes on a busy machine as well.
    const before = process.threadCpuUsage()
    expect(show(huge, 100)).toHaveLength(100)
    const { user, system } = process.threadCpuUsage(before)
    expect((user + system) / 1_000).toBeLessThan(1_000)
  })
})

describe('asMarkdown', () => {
  test('no character that Markdown knows stands for itself any more', () => {
    expect(asMarkdown(show('[x](command:y) **b** <img> `c` | # ~ _ !'))).toBe(
      '\\[x\\] \\(command\\:y\\) \\*\\*b\\*\\* \\<img\\> \\`c\\` \\| \\# \\~ \\_ \\!',
    )
  })

  test('an address is no link', () => {
    expect(asMarkdown(show('https://evil.example www.evil.example a@evil.example'))).toBe(
      'https\\:\\/\\/evil\\.example www\\.evil\\.example a\\@evil\\.example',
    )
  })
})

describe('release notes', () => {
  test('keep headings, lists, code and links to the web', () => {
    const notes = '# New\n\n- faster, see [notes](https://acme.example/a?b=1&c=2)\n\n`a < b && c`\n'
    expect(showMarkdown(notes)).toBe(notes)
  })

  test.each([
    ['[x](command:evil)', /command:/],
    ['[x](command\\:evil)', /command\\?:/],
    ['[x](COMMAND:evil)', /command:/i],
    ['[x](command&colon;evil)', /&colon;/],
    ['[x](&#99;ommand:evil)', /&#|ommand:/],
    ['[x]: vscode:extension', /vscode:/],
    ['[x](file:///etc/passwd)', /file:/],
    ['<img src=x onerror=alert(1)>', /<img/],
    ['<command:evil>', /<c|command:/],
    ['![x](https://spy.example/p.png)', /!\[/],
    ['a\u202Eb\u0000c', /\u202E|\p{Cc}/u],
  ])('do nothing: %j', (notes, dangerous) => {
    expect(showMarkdown(notes)).not.toMatch(dangerous)
  })

  test('are cut, whatever their length', () => {
    expect(showMarkdown('x'.repeat(10_000_000)).length).toBeLessThanOrEqual(65_536)
  })
})
