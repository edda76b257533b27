// jest's transform: the same type stripping that Node itself does, so tests run the sources that ship.
import { stripTypeScriptTypes } from 'node:module'

export default { process: (source) => ({ code: stripTypeScriptTypes(source) }) }
