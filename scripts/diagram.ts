/** Draws docs/one-post.svg from docs/one-post.txt. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './processes.ts'

const COLUMN_WIDTH = 400
const GAP = 40
const STEP_HEIGHT = 52
const STEP_GAP = 26
const TOP_HEIGHT = 40
const WIDTH = 2 * COLUMN_WIDTH + GAP

interface Step {
  readonly name: string
  readonly what: string
}

/**
 * The picture of a text like docs/one-post.txt, as SVG that is readable on light and dark pages.
 */
export function drawDiagram(text: string): string {
  const [top = '', ...lines] = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const fold = lines.indexOf('---')
  const down = lines.slice(0, fold).map(stepOf)
  const up = lines.slice(fold + 1).map(stepOf)
  const rows = Math.max(down.length, up.length)
  const y = (row: number) => TOP_HEIGHT + STEP_GAP + row * (STEP_HEIGHT + STEP_GAP)
  const left = down.map((step, i) => [
    box(0, y(i), step),
    arrow(COLUMN_WIDTH / 2, y(i) - STEP_GAP, COLUMN_WIDTH / 2, y(i)),
  ])
  // The right column is read from the bottom.
  const right = up.map((step, i) => {
    const row = rows - 1 - i
    const x = COLUMN_WIDTH + GAP
    return [
      box(x, y(row), step),
      arrow(x + COLUMN_WIDTH / 2, y(row), x + COLUMN_WIDTH / 2, y(row) - STEP_GAP),
    ]
  })
  const across = y(rows - 1) + STEP_HEIGHT / 2
  const height = y(rows - 1) + STEP_HEIGHT + 2
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 ${WIDTH + 4} ${height + 2}" role="img" font-family="system-ui, sans-serif" font-size="15">`,
    `<title>${escaped(`One post's way, from ${top} and back`)}</title>`,
    '<style>rect{fill:#f6f8fa;stroke:#57606a}path{stroke:#57606a;fill:none;stroke-width:1.5}text{fill:#1f2328}.what{fill:#57606a;font-size:13px}',
    '@media (prefers-color-scheme:dark){rect{fill:#161b22;stroke:#8b949e}path{stroke:#8b949e}text{fill:#e6edf3}.what{fill:#9da7b1}}</style>',
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8"/></marker></defs>',
    `<rect x="0" y="0" width="${WIDTH}" height="${TOP_HEIGHT}" rx="8"/>`,
    `<text x="${WIDTH / 2}" y="26" text-anchor="middle" font-weight="600">${escaped(top)}</text>`,
    ...left.flat(),
    arrow(COLUMN_WIDTH, across, COLUMN_WIDTH + GAP, across),
    ...right.flat(),
    '</svg>',
  ].join('\n')}\n`
}

function stepOf(line: string): Step {
  const [name = '', what = ''] = line.split(' | ')
  return { name, what }
}

function box(x: number, y: number, { name, what }: Step): string {
  return [
    `<rect x="${x}" y="${y}" width="${COLUMN_WIDTH}" height="${STEP_HEIGHT}" rx="8"/>`,
    `<text x="${x + 14}" y="${y + 21}" font-weight="600">${escaped(name)}</text>`,
    `<text class="what" x="${x + 14}" y="${y + 41}">${escaped(what)}</text>`,
  ].join('\n')
}

function arrow(fromX: number, fromY: number, toX: number, toY: number): string {
  return `<path marker-end="url(#head)" d="M${fromX} ${fromY}L${toX} ${toY}"/>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

if (import.meta.main) {
  const folder = path.join(root, 'docs')
  writeFileSync(
    path.join(folder, 'one-post.svg'),
    drawDiagram(readFileSync(path.join(folder, 'one-post.txt'), 'utf8')),
  )
}
