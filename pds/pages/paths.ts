/** Where the pages are. */
export const SECOND_FACTOR_PATH = '/account/second-factor'
export const SECURITY_PATH = '/account/security'
