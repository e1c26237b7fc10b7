/** What is used of a package that comes without types. */
declare module 'html-to-text' {
  export function htmlToText(html: string, options?: object): string
}
