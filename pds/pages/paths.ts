/** Where the pages are. */
export const SECOND_FACTOR_PATH = '/account/second-factor'
export const SCRIPTS_PATH = `${SECOND_FACTOR_PATH}/scripts`
export const SECURITY_PATH = '/account/security'
