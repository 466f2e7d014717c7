/** The end of a run in words: a small table and the first unexpected answers. */
import type { SimulationSummary } from './play.ts'

/** Lines of a summary, the last one without a line break. */
export function summaryText(summary: SimulationSummary, seed: number): string {
  const rows: [string, string][] = [
    ['seed', String(seed)],
    ['payment lives', `${summary.lives}, ${summary.capturedLives} of them end captured`],
    ['donations opened', String(summary.opened)],
    ['webhooks sent', String(summary.sent)],
    ['  accepted (200)', String(summary.accepted)],
    ['  rejected (401)', `${summary.rejected} of ${summary.forged} with a bad signature`],
    ['duplicates among them', String(summary.duplicates)],
    ['retries', String(summary.retries)],
    ['unexpected answers', String(summary.unexpected)],
    ['captures told', String(summary.expected.length)],
    ['time', `${summary.seconds.toFixed(1)} s, ${summary.perSecond.toFixed(0)} webhooks/s`],
  ]
  const width = Math.max(...rows.map(([label]) => label.length))
  const table = rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`)
  const samples = summary.unexpectedSamples.map((sample) => `  ${sample}`)
  const heading = samples.length === 0 ? [] : ['', `The first ${samples.length} unexpected:`]
  const stopped = summary.stopped ? ['', 'Stopped before the end.'] : []
  return [...table, ...heading, ...samples, ...stopped].join('\n')
}

/** True where the run went to its end and every answer was the expected one. */
export function wentAsExpected(summary: SimulationSummary): boolean {
  return (
    !summary.stopped &&
    summary.unexpected === 0 &&
    summary.opened === summary.lives &&
    summary.rejected === summary.forged &&
    summary.expected.length === summary.capturedLives
  )
}
