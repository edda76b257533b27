// Bit fields as BitTorrent spells them (BEP 3): one bit per piece, the first piece in the most significant bit.

export const bitsFor = (count: number): Uint8Array => new Uint8Array(Math.ceil(count / 8))

export const allBits = (count: number): Uint8Array => {
  const bits = bitsFor(count).fill(0xff)
  if (count % 8 !== 0) bits[bits.length - 1] = (0xff << (8 - (count % 8))) & 0xff
  return bits
}

export const hasBit = (bits: Uint8Array, index: number): boolean =>
  ((bits[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0

export const setBit = (bits: Uint8Array, index: number): void => {
  bits[index >> 3] = (bits[index >> 3] ?? 0) | (0x80 >> (index & 7))
}

export const clearBit = (bits: Uint8Array, index: number): void => {
  bits[index >> 3] = (bits[index >> 3] ?? 0) & ~(0x80 >> (index & 7))
}

export const countBits = (bits: Uint8Array): number => {
  let count = 0
  for (let byte of bits) for (; byte !== 0; byte &= byte - 1) count += 1
  return count
}

/** True if `bits` are a bit field for `count` pieces: the right number of bytes and nothing in the spare bits. */
export const isBitfieldFor = (bits: Uint8Array, count: number): boolean => {
  if (bits.length !== Math.ceil(count / 8)) return false
  const spare = bits.length * 8 - count
  return ((bits.at(-1) ?? 0) & ((1 << spare) - 1)) === 0
}
