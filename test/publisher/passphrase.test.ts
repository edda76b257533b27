// Where a passphrase comes from, and that a terminal never shows it.
import { closeSync, openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from '@jest/globals'
import { confirm } from '../../publisher/src/confirm.ts'
import { existingPassphrase, givenPassphrase, newPassphrase } from '../../publisher/src/passphrase.ts'
import { openWorkspace } from './workspace.ts'

/** A terminal at which `lines` are typed, one for each question. */
const typing = (...lines: readonly string[]) => {
  const input = new PassThrough()
  const output = new PassThrough()
  let typed = 0
  output.on('data', (shown: Buffer) => {
    if (shown.toString().endsWith(': ')) input.write(lines[typed++])
  })
  return { input, output, shown: text(output) }
}

describe('a passphrase that the caller gave', () => {
  test('is the first line of a file descriptor, before the environment', async () => {
    await using workspace = await openWorkspace()
    const file = join(workspace.directory, 'passphrase')
    await writeFile(file, 'from the file\r\nsecond line')
    const fd = openSync(file, 'r')
    expect(givenPassphrase(fd, { UPDRAFT_PASSPHRASE: 'from the environment' })).toBe('from the file')
    closeSync(fd)
    expect(givenPassphrase(undefined, { UPDRAFT_PASSPHRASE: 'from the environment' })).toBe('from the environment')
  })

  test('is a usage error if the descriptor is not open', () => {
    expect(() => givenPassphrase(999, {})).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  test('is not asked for again', async () => {
    const { shown, ...terminal } = typing()
    expect(await existingPassphrase({ given: 'given', terminal })()).toBe('given')
    expect(await newPassphrase({ given: 'given', terminal })).toBe('given')
    terminal.output.end()
    expect(await shown).toBe('')
  })
})

describe('a passphrase that a person types', () => {
  test('is not echoed', async () => {
    const { shown, ...terminal } = typing('secret\r')
    expect(await existingPassphrase({ given: undefined, terminal })()).toBe('secret')
    terminal.output.end()
    expect(await shown).toBe('Passphrase of the signing keys: \n')
  })

  test('can be corrected with backspace', async () => {
    const { shown, ...terminal } = typing('secrex\x7ft\r')
    expect(await existingPassphrase({ given: undefined, terminal })()).toBe('secret')
    terminal.output.end()
    await shown
  })

  test('is asked for twice for new keys, and has to be the same', async () => {
    const same = typing('secret\r', 'secret\r')
    expect(await newPassphrase({ given: undefined, terminal: same })).toBe('secret')
    const different = typing('secret\r', 'sekret\r')
    const asking = newPassphrase({ given: undefined, terminal: different })
    await expect(asking).rejects.toMatchObject({ code: 'PASSPHRASE_WRONG' })
    await expect(asking).rejects.not.toThrow(/se[ck]ret/)
  })

  test('ends with an interrupt as ABORTED', async () => {
    const terminal = typing('sec\x03')
    await expect(existingPassphrase({ given: undefined, terminal })()).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('no passphrase', () => {
  test('is undefined for keys that exist, which may be unencrypted', async () => {
    expect(await existingPassphrase({ given: undefined, terminal: undefined })()).toBeUndefined()
  })

  test.each([undefined, ''])('is refused for new keys: %j', async (given) => {
    await expect(newPassphrase({ given, terminal: undefined })).rejects.toMatchObject({ code: 'PASSPHRASE_MISSING' })
  })
})

describe('a person who is asked whether something is to be signed', () => {
  const answering = async (...keys: readonly string[]) => {
    const input = new PassThrough()
    const output = new PassThrough()
    output.once('data', () => {
      for (const key of keys) input.write(key)
    })
    await confirm('Sign this?', { input, output })
  }

  test('has to say yes', async () => {
    await answering('yes\r')
    await answering(' YES \r')
  })

  test.each([
    ['no', ['no\r']],
    ['nothing', ['\r']],
    ['y', ['y\r']],
    ['Ctrl-C', ['\x03']],
  ])('has not with %s', async (_, keys) => {
    await expect(answering(...keys)).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('has to be there', async () => {
    await expect(confirm('Sign this?', undefined)).rejects.toMatchObject({ code: 'USAGE' })
  })
})
