/** How the operator presents the service. */

/** A colour; each part from 0 to 255. */
export interface Rgb {
  readonly r: number
  readonly g: number
  readonly b: number
}

/** Addresses are http, https or data URLs. */
export interface Brand {
  readonly name: string
  readonly logo: string | undefined
  readonly colors: { readonly primary?: Rgb; readonly error?: Rgb; readonly success?: Rgb }
  readonly background: { readonly light?: string; readonly dark?: string }
}
