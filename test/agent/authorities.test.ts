// The files of authorities that the settings name: what counts, and what is told about one that does not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { readAuthorities } from '@updraft/agent/authorities'
import { LIMITS } from '@updraft/core/limits'
import { authority } from '../support/certificates.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'updraft-ca-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const file = (name: string, content: string): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const [one, two, three] = ['One', 'Two', 'Three'].map((name) => authority(name).certificate.toString())

test('every certificate of every file counts, whatever stands between them', async () => {
  const paths = [file('a.pem', `Subject: one\n${one}\n# and\n${two}`), file('b.pem', three ?? '')]
  expect((await readAuthorities(paths)).map(({ subject }) => subject)).toEqual(['CN=One', 'CN=Two', 'CN=Three'])
  expect(await readAuthorities([])).toEqual([])
})

test.each([
  ['nothing', '', 'SETTINGS_INVALID'],
  ['a key', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'SETTINGS_INVALID'],
  ['a torn certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'SETTINGS_INVALID'],
  ['far too much', ' '.repeat(LIMITS.authorityFileBytes + 1), 'LIMIT_EXCEEDED'],
])('a file with %s is refused, and named', async (_, content, code) => {
  const path = file('ca.pem', content)
  await expect(readAuthorities([path])).rejects.toMatchObject({ code, message: expect.stringContaining(path) })
})

test('a file that is not there is no authority less, but an error', async () => {
  await expect(readAuthorities([join(folder, 'none.pem')])).rejects.toMatchObject({
    code: expect.stringMatching(/^(IO|PERMISSION)$/),
  })
})
