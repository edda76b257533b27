// A PKCS#12 file with two keys in it, as some key stores write them. node-forge lays it out; only tests need it.
import { generateKeyPairSync } from 'node:crypto'
import forge from 'node-forge'

/** Keys `first` and `second`, both RSA 3072. */
export const makeTwoKeyPkcs12 = async (passphrase: string): Promise<Buffer> => {
  const bags = ['first', 'second'].map((friendlyName) => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 })
    const pem = privateKey.export({ format: 'pem', type: 'pkcs1' }).toString()
    const whole = forge.pkcs12.toPkcs12Asn1(forge.pki.privateKeyFromPem(pem), null as never, passphrase, {
      friendlyName,
      useMac: false,
    })
    return safeContentsOf(whole)
  })
  const { asn1 } = forge
  const sequence = (values: forge.asn1.Asn1[]) => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, values)
  const octets = (bytes: string) => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, bytes)
  const data = (content: string) =>
    sequence([
      asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(forge.pki.oids.data ?? '').getBytes()),
      asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, [octets(content)]),
    ])
  const version = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, asn1.integerToDer(3).getBytes())
  const file = sequence([version, data(asn1.toDer(sequence(bags.flat())).getBytes())])
  return Buffer.from(asn1.toDer(file).getBytes(), 'binary')
}

/** The parts of the authenticated safe: version, then data of octets of a sequence of them. */
const safeContentsOf = (pfx: forge.asn1.Asn1): forge.asn1.Asn1[] => {
  const part = ({ value }: forge.asn1.Asn1, at: number): forge.asn1.Asn1 => {
    const found = typeof value === 'string' ? undefined : value[at]
    if (found === undefined) throw new Error(`PKCS#12 without a part ${at}`)
    return found
  }
  const octets = part(part(part(pfx, 1), 1), 0)
  return forge.asn1.fromDer(octets.value as string).value as forge.asn1.Asn1[]
}
