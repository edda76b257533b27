// The form of a test inside the extension host: its name is the rule, and it throws when the rule is broken.
export type HostTests = Readonly<Record<string, () => void | Promise<void>>>
