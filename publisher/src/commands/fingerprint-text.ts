// A fingerprint as people compare it.

/** Two lines of eight groups: what a person can read aloud over the telephone. */
export const grouped = (fingerprint: string): string => {
  const groups = fingerprint.replace('sha256:', '').match(/.{4}/g) ?? []
  return [groups.slice(0, 8), groups.slice(8)].map((line) => `  ${line.join(' ')}`).join('\n')
}
