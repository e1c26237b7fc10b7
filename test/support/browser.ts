/**
 * A real browser: Debian's Chromium, without a window. Where there is none, tests that need it are
 * skipped and say so; in CI they fail instead.
 */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Where Debian, Ubuntu and Google put it. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const named = process.env.CHROMIUM_PATH
const executablePath = (named === undefined ? PLACES : [named]).find((place) => existsSync(place))

/** Whether tests that need a browser can run. */
export const hasBrowser = executablePath !== undefined

if (executablePath === undefined) {
  const missing =
    named === undefined
      ? `there is no Chromium at ${PLACES.join(', ')}; install it, or name it in CHROMIUM_PATH`
      : `CHROMIUM_PATH names ${named}, which is not there`
  if (process.env.CI) throw new Error(`CI needs a browser: ${missing}`)
  console.warn(`The tests in a browser are skipped: ${missing}`)
}

/** It goes nowhere that a test does not send it, and keeps nothing. */
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts Chromium with a profile of its own, which goes with it. */
export function startBrowser(): Promise<Browser> {
  // Chromium's sandbox does not start as root, and containers rarely let it.
  return chromium.launch({ executablePath, chromiumSandbox: false, args: FLAGS })
}
