/** The pages' scripts: TypeScript for browsers, bundled when they are first asked for, and kept. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'
import { Router } from 'express'
import { awaited } from '#platform/express.ts'
import { SCRIPTS_PATH } from './paths.ts'

const FOLDER = path.join(import.meta.dirname, 'browser')
const CACHE_SECONDS = 3_600

/** The address of a script. @param name its file's, without `.ts` */
export const scriptPath = (name: string): string => `${SCRIPTS_PATH}/${name}.js`

/** Hands out every script of the folder `browser`. */
export function scripts(): Router {
  const router = Router()
  for (const file of readdirSync(FOLDER).filter((file) => file.endsWith('.ts'))) {
    const name = path.basename(file, '.ts')
    let bundled: Promise<string> | undefined
    router.get(
      scriptPath(name),
      awaited(async (_, response) => {
        bundled ??= bundle(path.join(FOLDER, file))
        const text = await bundled.catch((error: unknown) => {
          // The next one who asks tries again.
          bundled = undefined
          throw error
        })
        response.set({ 'Cache-Control': `max-age=${CACHE_SECONDS}`, 'X-Content-Type-Options': 'nosniff' })
        response.type('text/javascript').send(text)
      }),
    )
  }
  return router
}

async function bundle(entry: string): Promise<string> {
  const options = { bundle: true, minify: true, format: 'esm', target: 'es2022', write: false } as const
  const { outputFiles } = await build({ ...options, entryPoints: [entry], logLevel: 'silent' })
  return outputFiles[0]?.text ?? ''
}
