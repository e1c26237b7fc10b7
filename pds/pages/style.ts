/** The pages' stylesheet: shapes and greys as on the OAuth library's pages, operator's colours. */
import type { Brand, Rgb } from './brand.ts'

/** The library's own colours, where the operator names none. */
const PRIMARY: Rgb = { r: 131, g: 56, b: 236 }
const ERROR: Rgb = { r: 220, g: 38, b: 38 }
const ERROR_IN_THE_DARK: Rgb = { r: 248, g: 113, b: 113 }
const SUCCESS: Rgb = { r: 23, g: 204, b: 136 }

export function stylesheet({ colors, background }: Brand): string {
  const primary = colors.primary ?? PRIMARY
  return `
:root {
  color-scheme: light dark;
  --primary: ${css(primary)};
  --on-primary: ${isLight(primary) ? '#000' : '#fff'};
  --error: light-dark(${css(colors.error ?? ERROR)}, ${css(colors.error ?? ERROR_IN_THE_DARK)});
  --success: ${css(colors.success ?? SUCCESS)};
  --text: light-dark(oklch(14.5% 0 0), oklch(98.5% 0 0));
  --quiet: light-dark(oklch(50% 0 0), oklch(70.8% 0 0));
  --behind: light-dark(oklch(97% 0 0), oklch(26.9% 0 0));
  --card: light-dark(oklch(100% 0 0), oklch(20.5% 0 0));
  --line: light-dark(oklch(90% 0 0), oklch(100% 0 0 / 0.15));
}
* { box-sizing: border-box; }
body {
  margin: 0;
  min-height: 100svh;
  display: flex;
  align-items: safe center;
  justify-content: center;
  padding: 1rem;
  background: var(--behind)${image(background.light)} center / cover no-repeat;
  color: var(--text);
  font: 1rem/1.5 -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
}
${background.dark === undefined ? '' : `@media (prefers-color-scheme: dark) { body { background-image: ${url(background.dark)}; } }`}
main {
  width: 100%;
  max-width: 26rem;
  padding: 1.75rem 1.5rem;
  background: var(--card);
  border-radius: 0.875rem;
  box-shadow: 0 0 0 1px light-dark(oklch(14.5% 0 0 / 0.1), oklch(98.5% 0 0 / 0.1));
}
main.wide { max-width: 36rem; }
header { text-align: center; margin-bottom: 1.5rem; }
header img { height: 2.25rem; max-width: 8rem; object-fit: contain; }
.name { font-size: 1.125rem; font-weight: 600; }
h1 { font-size: 1.5rem; line-height: 1.25; font-weight: 600; margin: 1.25rem 0 0.5rem; text-wrap: balance; }
h2 { font-size: 1.0625rem; line-height: 1.4; font-weight: 600; margin: 0 0 0.25rem; }
p { margin: 0 0 1rem; text-wrap: pretty; overflow-wrap: anywhere; }
.quiet, header p, small { color: var(--quiet); }
small { font-size: 0.875rem; display: block; }
section { padding: 1.25rem 0; border-top: 1px solid var(--line); }
section > :last-child, form > :last-child { margin-bottom: 0; }
form { display: grid; gap: 1rem; margin: 0 0 1rem; }
label { display: grid; gap: 0.5rem; font-size: 0.875rem; font-weight: 500; }
label.choice { display: flex; align-items: center; font-size: 1rem; font-weight: 400; overflow-wrap: anywhere; }
fieldset { border: 0; margin: 0; padding: 0; display: grid; gap: 0.5rem; }
legend { padding: 0 0 0.5rem; font-size: 0.875rem; font-weight: 500; }
input[type="radio"] { accent-color: var(--primary); width: 1.125rem; height: 1.125rem; flex: none; margin: 0; }
input:not([type="radio"]) {
  width: 100%;
  height: 2.75rem;
  padding: 0 0.75rem;
  font: inherit;
  font-size: 1rem;
  font-weight: 400;
  color: inherit;
  background: transparent;
  border: 1px solid var(--line);
  border-radius: 0.625rem;
}
button, .button {
  display: inline-flex;
  align-items: center;
  justify-content: center;
  min-height: 2.5rem;
  padding: 0.375rem 0.875rem;
  font: inherit;
  font-size: 0.9375rem;
  font-weight: 500;
  text-decoration: none;
  text-align: center;
  border: 0;
  border-radius: 0.625rem;
  background: var(--primary);
  color: var(--on-primary);
  cursor: pointer;
}
button.second, .button.second { background: var(--behind); color: var(--text); }
button.away { background: color-mix(in oklch, var(--error) 10%, transparent); color: var(--error); }
button:hover, .button:hover { filter: brightness(0.94); }
:focus-visible { outline: 3px solid color-mix(in oklch, var(--primary) 60%, transparent); outline-offset: 2px; }
a { color: inherit; text-underline-offset: 0.25em; border-radius: 0.25rem; }
main > :last-child { margin-bottom: 0; }
.actions { display: grid; gap: 0.625rem; }
@media (min-width: 40rem) {
  .actions { display: flex; flex-direction: row-reverse; }
  section form > button { justify-self: start; }
}
.rows { list-style: none; margin: 0 0 1rem; padding: 0; }
.rows li { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; justify-content: space-between; padding: 0.5rem 0; }
.rows li > div { min-width: 0; overflow-wrap: anywhere; flex: 1 1 12rem; }
.rows form { margin: 0; }
.codes { columns: 2; list-style: none; margin: 0 0 1rem; padding: 1rem; background: var(--behind); border-radius: 0.625rem; }
.codes, code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.qr { display: block; width: 12rem; margin: 0 auto 1rem; padding: 0.5rem; background: #fff; border-radius: 0.625rem; }
.qr svg { display: block; width: 100%; height: auto; }
.notice { padding: 0.75rem 1rem; border-radius: 0.625rem; margin: 0 0 1rem; }
.notice.bad { color: var(--error); background: color-mix(in oklch, var(--error) 10%, transparent); }
.notice.good { background: color-mix(in oklch, var(--success) 15%, transparent); }
.or { display: flex; align-items: center; gap: 0.75rem; color: var(--quiet); font-size: 0.875rem; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
footer { text-align: center; margin-top: 1.25rem; }
[hidden] { display: none !important; }
@media (max-width: 22rem) { .codes { columns: 1; } }
`
}

const css = ({ r, g, b }: Rgb): string => `rgb(${r} ${g} ${b})`
const url = (address: string): string => `url("${address.replace(/["\\\n]/g, encodeURIComponent)}")`
const image = (address: string | undefined): string => (address === undefined ? '' : ` ${url(address)}`)

/** Whether black has more contrast than white. https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio */
function isLight({ r, g, b }: Rgb): boolean {
  const linear = (part: number): number => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }
  const luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
  return (luminance + 0.05) ** 2 > 1.05 * 0.05
}
