// Keys behind a program: openssl and SoftHSM sign releases that agents accept; programs that answer wrongly, hang, flood or fail
// sign nothing and leave nothing.
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { UpdateError } from '@updraft/core/errors'
import { commandSigner, connectCommand } from '../../publisher/src/keys/command-key.ts'
import { generatePrivateKey, signerOf } from '../../publisher/src/keys/private-key.ts'
import { describeWith, needsProgram } from '../support/needs.ts'
import { processesNaming, whenGone } from '../support/processes.ts'
import { publisherJson, runPublisher } from './program.ts'
import { fingerprintTree, openWorkspace, type Workspace, writeTree } from './workspace.ts'

let workspace: Workspace
let directory: string

beforeAll(async () => {
  workspace = await openWorkspace()
  directory = workspace.directory
  await writeTree(workspace.build, { 'bin/acme': 'the program' })
})
afterAll(async () => {
  expect(processesNaming(directory)).toEqual([])
  await workspace[Symbol.asyncDispose]()
})

const command = (program: string, ...args: readonly string[]): string => {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: directory, encoding: 'utf8', env: environment() })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
  return stdout
}

const environment = () => ({
  PATH: process.env.PATH ?? '',
  SOFTHSM2_CONF: join(directory, 'softhsm2.conf'),
  PIN: '1234',
})

/** A repository whose product is signed for by the key in `publicKey`, held by `program`; publishes one release with it. */
const releaseWith = async (repository: string, publicKey: string, program: readonly string[]) => {
  await publisherJson(directory, ['init', repository, '--product', 'acme', '--no-passphrase'])
  const connect = ['keys', 'connect', 'acme', '--repo', repository, '--public-key', publicKey, '--', ...program]
  const { keyId } = await publisherJson<{ keyId: string }>(directory, connect, environment())
  const rotate = ['rotate', 'acme', '--repo', repository, '--add-key', publicKey, '--remove-all']
  await publisherJson(directory, rotate, environment())
  const publish = ['publish', 'build', '--repo', repository, '--product', 'acme', '--version', '1.0.0']
  await publisherJson(directory, publish, environment())
  const role = JSON.parse(await readFile(join(directory, repository, 'metadata/3.acme.json'), 'utf8'))
  expect(role.signatures.map(({ keyid }: { keyid: string }) => keyid)).toEqual([keyId])
}

describeWith([needsProgram('openssl')], 'openssl signs a release', () => {
  test.each([
    ['ecdsa', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], []],
    [
      'rsa',
      ['rsa', '-pkeyopt', 'rsa_keygen_bits:3072'],
      ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32'],
    ],
  ])('with a key of kind %s', async (name, kind, options) => {
    command('openssl', 'genpkey', '-algorithm', ...kind, '-out', `${name}.pem`)
    command('openssl', 'pkey', '-in', `${name}.pem`, '-pubout', '-out', `${name}.pub`)
    await releaseWith(`by-${name}`, `${name}.pub`, ['openssl', 'dgst', '-sha256', ...options, '-sign', `${name}.pem`])
  })
})

const MODULE = '/usr/lib/softhsm/libsofthsm2.so'

describeWith(
  [needsProgram('softhsm2-util'), needsProgram('pkcs11-tool'), needsProgram('openssl')],
  'SoftHSM signs a release',
  () => {
    beforeAll(async () => {
      await mkdir(join(directory, 'tokens'))
      await writeFile(
        join(directory, 'softhsm2.conf'),
        `directories.tokendir = ${join(directory, 'tokens')}\nlog.level = ERROR\n`,
      )
      command('softhsm2-util', '--init-token', '--free', '--label', 'acme', '--pin', '1234', '--so-pin', '5678')
    })

    const tool = ['pkcs11-tool', '--module', MODULE, '--token-label', 'acme', '--login', '--pin', 'env:PIN'] as const

    // RSA is left to openssl above: with it, SoftHSM 2.6 and pkcs11-tool 0.23 crash now and then.
    test('with a key that never leaves it', async () => {
      const [program, ...args] = tool
      command(program, ...args, '--keypairgen', '--key-type', 'EC:prime256v1', '--label', 'release')
      command(program, ...args, '--read-object', '--type', 'pubkey', '--label', 'release', '--output-file', 'hsm.der')
      command('openssl', 'pkey', '-pubin', '-inform', 'DER', '-in', 'hsm.der', '-out', 'hsm.pub')
      // It hashes nothing itself, so the digest goes in.
      const sign = `${tool.join(' ')} --label release --sign --mechanism ECDSA --signature-format openssl`
      await releaseWith('by-hsm', 'hsm.pub', ['sh', '-c', `openssl dgst -sha256 -binary | ${sign}`])
    })
  },
)

describe('a program that does not sign', () => {
  const attempts: readonly (readonly [string, string, RegExp, number?])[] = [
    ['answers with something else', 'cat', /answered with \d+ bytes that are no signature/],
    ['answers with nothing', 'cat > /dev/null', /answered with 0 bytes/],
    ['fails', 'echo the card is not there >&2; exit 3', /ended with 3: the card is not there/],
    ['floods', 'cat /dev/zero', /more than 65536 bytes/],
    ['hangs, with a child that hangs as well', 'sleep 600 & sleep 600', /no signature within 1 seconds/, 1],
  ]

  test.concurrent.each(attempts)('%s: nothing is connected', async (name, script, says, timeoutSeconds = 60) => {
    const folder = join(directory, `bad-${name.length}`)
    const key = signerOf(await generatePrivateKey('ed25519'))
    const options = { environment: { ...process.env, MARK: folder } }
    await expect(
      connectCommand(folder, 'k', key, { command: ['sh', '-c', script], timeoutSeconds }, options),
    ).rejects.toMatchObject({
      code: 'SIGNER_FAILED',
      message: expect.stringMatching(says),
    })
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' })
    await whenGone(folder)
  })

  test('is stopped when its publisher is: nothing is signed, and it is gone', async () => {
    const mark = join(directory, 'stopped')
    const key = signerOf(await generatePrivateKey('ed25519'))
    const stop = new AbortController()
    const options = { environment: { ...process.env, MARK: mark }, signal: stop.signal }
    const signer = commandSigner(
      { schema: 1, publicKey: key.publicKey, command: ['sh', '-c', 'sleep 600'], timeoutSeconds: 60 },
      options,
    )
    const signing = signer.sign(Buffer.from('bytes'))
    stop.abort(new UpdateError('ABORTED', 'stopped by SIGINT'))
    await expect(signing).rejects.toMatchObject({ code: 'ABORTED' })
    await whenGone(mark)
  })

  test('begins to answer wrongly later: nothing is published; and one that others can write is not run', async () => {
    await publisherJson(directory, ['init', 'later', '--product', 'acme', '--no-passphrase'])
    const { keys } = await publisherJson<{ keys: { name: string; keyId: string }[] }>(directory, [
      'keys',
      'list',
      '--repo',
      'later',
    ])
    const id = keys.find(({ name }) => name === 'acme')?.keyId.slice(0, 8)
    const [pem, pub] = ['pem', 'pub'].map((kind) => join('later.keys', `acme-${id}.${kind}`))
    const openssl = `openssl pkeyutl -sign -rawin -inkey ${directory}/held.pem -in $f`
    // Ed25519 with OpenSSL 3.0 needs a file, because it reads twice.
    const script = `f=$(mktemp); cat > $f; if [ -e ${directory}/broken ]; then echo x; else ${openssl}; fi; rm $f`
    await writeFile(join(directory, 'held.pem'), await readFile(join(directory, pem ?? '')))
    await publisherJson(directory, [
      'keys',
      'connect',
      'acme',
      '--repo',
      'later',
      '--public-key',
      pub ?? '',
      '--',
      'sh',
      '-c',
      script,
    ])
    await rm(join(directory, pem ?? ''))
    const publish = (version: string) =>
      runPublisher(directory, ['publish', 'build', '--repo', 'later', '--product', 'acme', '--version', version])
    expect((await publish('1.0.0')).code).toBe(0)
    await writeFile(join(directory, 'broken'), '')
    const before = await fingerprintTree(join(directory, 'later'))
    expect(await publish('1.1.0')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('no signature of the key'),
    })
    expect(await fingerprintTree(join(directory, 'later'))).toEqual(before)
    await rm(join(directory, 'broken'))
    await chmod(join(directory, 'later.keys', `acme-${id}.command.json`), 0o666)
    expect(await publish('1.1.0')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('can be written by others'),
    })
  })
})
