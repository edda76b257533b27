// `npm run document:api`: writes docs/control-api.json, the OpenAPI document that an agent serves at /v1/openapi.json.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openApiDocument } from '../core/src/control/openapi.ts'
import { PROJECT, runTool } from './steps.ts'

const file = join(PROJECT, 'docs/control-api.json')
await writeFile(file, JSON.stringify(openApiDocument()))
const { passed, output } = await runTool('format', '@biomejs/biome/bin/biome', ['format', '--write', file])
if (!passed) process.stderr.write(output)
process.exit(passed ? 0 : 1)
