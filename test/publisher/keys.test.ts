// Key files and the folder they lie in: what is on disk, who can open it, and what a message may say.
import { createPublicKey, verify } from 'node:crypto'
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { createKeyFile, fileKeys } from '../../publisher/src/keys/key-file.ts'
import { keysDirectoryOf, noteFingerprint, readFingerprints } from '../../publisher/src/keys/keys-directory.ts'
import { openSigners } from '../../publisher/src/keys/signer.ts'
import { openWorkspace } from './workspace.ts'

const PASSPHRASE = 'correct hörse battery'

describe('a new key', () => {
  test('is encrypted, derived with 600,000 rounds, and only its owner can read it', async () => {
    await using workspace = await openWorkspace()
    const key = await createKeyFile(workspace.keysDirectory, 'acme', PASSPHRASE)
    const pem = await readFile(key.path, 'utf8')
    const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    expect(pem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
    expect(der.includes(Buffer.from([2, 3, 0x09, 0x27, 0xc0]))).toBe(true) // INTEGER 600000
    expect((await stat(key.path)).mode & 0o777).toBe(0o600)
    expect((await stat(workspace.keysDirectory)).mode & 0o777).toBe(0o700)
    expect(key.path.endsWith(`acme-${key.keyId.slice(0, 8)}.pem`)).toBe(true)
  })

  test('is plain PKCS#8 without a passphrase', async () => {
    await using workspace = await openWorkspace()
    const key = await createKeyFile(workspace.keysDirectory, 'acme', undefined)
    expect(await readFile(key.path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    expect((await stat(key.path)).mode & 0o777).toBe(0o600)
  })

  test('disposed of leaves no file', async () => {
    await using workspace = await openWorkspace()
    const key = await createKeyFile(workspace.keysDirectory, 'acme', undefined)
    await key[Symbol.asyncDispose]()
    await expect(stat(key.path)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('opening a key', () => {
  test('signs what its public key verifies', async () => {
    await using workspace = await openWorkspace()
    const { keyId, publicKey } = await createKeyFile(workspace.keysDirectory, 'acme', PASSPHRASE)
    const signer = await fileKeys(workspace.keysDirectory, async () => PASSPHRASE).open(keyId)
    const x = Buffer.from(publicKey.keyval.public, 'hex').toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    const signature = (await signer?.sign(Buffer.from('bytes'))) ?? ''
    expect(signature).toMatch(/^[0-9a-f]{128}$/)
    expect(verify(null, Buffer.from('bytes'), key, Buffer.from(signature, 'hex'))).toBe(true)
  })

  test('asks for the passphrase once for all keys, and not at all for plain ones', async () => {
    await using workspace = await openWorkspace()
    const first = await createKeyFile(workspace.keysDirectory, 'acme', PASSPHRASE)
    const second = await createKeyFile(workspace.keysDirectory, 'snapshot', PASSPHRASE)
    const plain = await createKeyFile(workspace.keysDirectory, 'timestamp', undefined)
    let asked = 0
    const source = fileKeys(workspace.keysDirectory, async () => {
      asked += 1
      return PASSPHRASE
    })
    await source.open(plain.keyId)
    expect(asked).toBe(0)
    await source.open(first.keyId)
    await source.open(second.keyId)
    expect(asked).toBe(1)
  })

  test('refuses a wrong passphrase without repeating it', async () => {
    await using workspace = await openWorkspace()
    const { keyId } = await createKeyFile(workspace.keysDirectory, 'acme', PASSPHRASE)
    const opening = fileKeys(workspace.keysDirectory, async () => 'a wrong guess').open(keyId)
    await expect(opening).rejects.toMatchObject({ code: 'PASSPHRASE_WRONG' })
    await expect(opening).rejects.not.toThrow(/a wrong guess/)
  })

  test('refuses an encrypted key when there is no passphrase', async () => {
    await using workspace = await openWorkspace()
    const { keyId } = await createKeyFile(workspace.keysDirectory, 'acme', PASSPHRASE)
    const opening = fileKeys(workspace.keysDirectory, async () => undefined).open(keyId)
    await expect(opening).rejects.toMatchObject({ code: 'PASSPHRASE_MISSING' })
  })

  test('refuses another key in its place, and what is no key at all', async () => {
    await using workspace = await openWorkspace()
    const wanted = await createKeyFile(workspace.keysDirectory, 'acme', undefined)
    const other = await createKeyFile(workspace.keysDirectory, 'acme', undefined)
    const source = fileKeys(workspace.keysDirectory, async () => undefined)
    await rename(other.path, wanted.path)
    await expect(source.open(wanted.keyId)).rejects.toMatchObject({ code: 'KEY_MISSING' })
    await writeFile(wanted.path, 'no key')
    await expect(source.open(wanted.keyId)).rejects.toMatchObject({ code: 'KEY_MISSING' })
  })

  test('says which keys are missing when a threshold cannot be reached', async () => {
    await using workspace = await openWorkspace()
    const { keyId } = await createKeyFile(workspace.keysDirectory, 'root', undefined)
    const source = fileKeys(workspace.keysDirectory, async () => undefined)
    const absent = 'ab'.repeat(32)
    const role = { role: 'root', keyIds: [keyId, absent], threshold: 2 }
    await expect(openSigners(source, [role])).rejects.toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining(absent.slice(0, 8)),
    })
    expect((await openSigners(source, [{ ...role, threshold: 1 }])).get('root')).toHaveLength(1)
  })
})

describe('the folder of the keys', () => {
  test('is what the option says, else the environment, else beside the repository', () => {
    expect(keysDirectoryOf('/data/r', '/safe', { UPDRAFT_KEYS: '/env' })).toBe('/safe')
    expect(keysDirectoryOf('/data/r', undefined, { UPDRAFT_KEYS: '/env' })).toBe('/env')
    expect(keysDirectoryOf('/data/r/', undefined, {})).toBe('/data/r.keys')
  })

  test.each(['/data/r', '/data/r/keys', '/data/r/a/../b'])('is never inside the repository: %s', (given) => {
    expect(() => keysDirectoryOf('/data/r', given, {})).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  test('remembers the roots that its keys were made for, and can forget the last', async () => {
    await using workspace = await openWorkspace()
    await createKeyFile(workspace.keysDirectory, 'acme', undefined)
    expect(await readFingerprints(workspace.keysDirectory)).toEqual([])
    await noteFingerprint(workspace.keysDirectory, 'sha256:aa')
    const second = await noteFingerprint(workspace.keysDirectory, 'sha256:bb')
    expect(await readFingerprints(workspace.keysDirectory)).toEqual(['sha256:aa', 'sha256:bb'])
    await second[Symbol.asyncDispose]()
    expect(await readFile(join(workspace.keysDirectory, 'root.fingerprints'), 'utf8')).toBe('sha256:aa\n')
  })
})
