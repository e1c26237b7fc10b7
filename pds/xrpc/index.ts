/** Every XRPC method that is served here, by NSID. */
import type { AppViewServices } from '../services.ts'
import * as viewed from './app-view-endpoints.ts'
import type { AnyEndpoint } from './endpoint.ts'
import * as always from './endpoints.ts'

export const endpoints: Readonly<Record<string, AnyEndpoint>> = always

/** Those that are served here only when the operator named an AppView. */
export const appViewEndpoints: Readonly<Record<string, AnyEndpoint<AppViewServices>>> = viewed

/** The methods that other services may never call in a user's name. */
export const PROTECTED_METHODS: readonly string[] = Object.entries({ ...always, ...viewed }).flatMap(
  ([nsid, endpoint]) => (endpoint.protected ? nsid : []),
)
