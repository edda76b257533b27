// The table that reads the TUF library's messages, and the library that it was written for: a message that changes with an
// upgrade has to change the table too.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { UpdateError } from '@updraft/core/errors'
import { type FailureContext, failureOf } from '../../agent/src/refresh/failures.ts'

const MODULES = join(import.meta.dirname, '../../node_modules')
const context: FailureContext = {
  file: '4.snapshot.json',
  from: 'http://mirror.test/metadata/',
  expiresOf: (role) => (role === 'timestamp' ? '2020-02-02T02:02:02Z' : undefined),
}

/** The message as the library makes it, where it stands there, and what we say instead. */
const MESSAGES: readonly (readonly [message: string, template: string, file: string, code: string, ours: RegExp])[] = [
  [
    'Final timestamp.json is expired',
    'Final timestamp.json is expired',
    'tuf-js/dist/store.js',
    'METADATA_EXPIRED',
    /^timestamp\.json .* has expired on 2020-02-02T02:02:02Z$/,
  ],
  [
    'Final root.json is expired',
    'Final root.json is expired',
    'tuf-js/dist/store.js',
    'METADATA_EXPIRED',
    /^root\.json .* unknown date$/,
  ],
  [
    'snapshot.json is expired',
    "'snapshot.json is expired'",
    'tuf-js/dist/store.js',
    'METADATA_EXPIRED',
    /^snapshot\.json /,
  ],
  ['acme.json is expired', '{roleName}.json is expired', 'tuf-js/dist/store.js', 'METADATA_EXPIRED', /^acme\.json /],
  [
    'New timestamp version 2 is less than current version 3',
    'New timestamp version ',
    'tuf-js/dist/store.js',
    'METADATA_ROLLBACK',
    /timestamp version 2 .* older than trusted 3$/,
  ],
  [
    'New snapshot version 2 is less than current version 3',
    'New snapshot version ',
    'tuf-js/dist/store.js',
    'METADATA_ROLLBACK',
    /snapshot version 2 .* older than trusted 3$/,
  ],
  [
    'New version 1 of acme.json is less than current version 7',
    'New version ${',
    'tuf-js/dist/store.js',
    'METADATA_ROLLBACK',
    /lists acme version 1, .* trusted 7$/,
  ],
  [
    'Missing file acme.json in new snapshot',
    'Missing file ${',
    'tuf-js/dist/store.js',
    'METADATA_ROLLBACK',
    /no longer lists acme\.json$/,
  ],
  [
    "Snapshot version doesn't match timestamp",
    "Snapshot version doesn't match timestamp",
    'tuf-js/dist/store.js',
    'METADATA_UNTRUSTED',
    /^4\.snapshot\.json .* another version/,
  ],
  [
    'Version 4 of acme does not match snapshot version 5',
    'does not match snapshot version',
    'tuf-js/dist/store.js',
    'METADATA_UNTRUSTED',
    /acme\.json .* version 4, but the snapshot lists 5$/,
  ],
  [
    'Expected version 2, got 3',
    'Expected version ${',
    'tuf-js/dist/store.js',
    'METADATA_UNTRUSTED',
    /has version 3 instead of 2$/,
  ],
  [
    'targets was signed by 1/2 keys',
    'was signed by ${',
    '@tufjs/models/dist/metadata.js',
    'METADATA_UNTRUSTED',
    /carries 1 of the 2 signatures that role targets needs$/,
  ],
  [
    'Expected length 10 but got 11',
    'Expected length ${',
    '@tufjs/models/dist/file.js',
    'METADATA_UNTRUSTED',
    /has length 11, but 10 was signed$/,
  ],
  [
    'Expected hash aa but got bb',
    'Expected hash ${',
    '@tufjs/models/dist/file.js',
    'METADATA_UNTRUSTED',
    /has hash bb, but aa was signed$/,
  ],
  [
    'Failed to persist metadata root error: Error: EIO: i/o error',
    'Failed to persist metadata',
    'tuf-js/dist/updater.js',
    'IO',
    /EIO/,
  ],
  [
    'Failed to persist metadata root error: Error: ENOSPC: no space left',
    'Failed to persist metadata',
    'tuf-js/dist/updater.js',
    'DISK_FULL',
    /ENOSPC/,
  ],
]

describe.each(MESSAGES)('%s', (message, template, file, code, ours) => {
  test('is what the library says', () => {
    expect(readFileSync(join(MODULES, file), 'utf8')).toContain(template)
  })

  test.each([
    message,
    `Unable to load snapshot metadata error Error: ${message}`,
    `Unable to load targets error Error: ${message}`,
  ])('is understood in %j', (whole) => {
    const cause = new Error(whole)
    const failure = failureOf(cause, context)
    expect(failure).toMatchObject({ code, message: expect.stringMatching(ours), hint: expect.anything(), cause })
  })
})

test('anything that is not understood is untrusted, and keeps what was said', () => {
  for (const error of [new TypeError('keys is malformed'), 'a string']) {
    expect(failureOf(error, context)).toMatchObject({ code: 'METADATA_UNTRUSTED', cause: error })
  }
  expect(failureOf(new Error('strange'), context).message).toBe(
    '4.snapshot.json from http://mirror.test/metadata/ was refused: strange',
  )
})

test('what is ours already stays as it is', () => {
  const error = new UpdateError('SOURCE_UNREACHABLE', 'x')
  expect(failureOf(error, context)).toBe(error)
})

test.each([
  ['tuf-js', '6.0.2'],
  ['@tufjs/models', '5.0.2'],
])('the table was written for %s %s', (name, version) => {
  expect(JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8')).version).toBe(version)
})
