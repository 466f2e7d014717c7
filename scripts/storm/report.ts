/** The end of a storm in words, and in one line of JSON. */
import type { StormResult } from './run.ts'

const SHOWN = 20

/** True where both runs ended alike and nothing else is off. */
export function isClean(result: StormResult): boolean {
  return (
    result.differences.length === 0 &&
    result.findings.length === 0 &&
    result.sent.refused === result.sent.badSignatures
  )
}

export function summaryOf(result: StormResult) {
  const { lives, sent, happened, entries } = result
  return {
    lives,
    webhooks: sent.webhooks,
    duplicates: sent.duplicates,
    bad_signatures: sent.badSignatures,
    refused_and_sent_again: sent.sentAgain,
    worker_kills: happened.workerKills,
    postgres_restarts: happened.postgresRestarts,
    redis_flushes: happened.redisFlushes,
    entries,
    differences: result.differences.length,
    seconds: result.stormSeconds,
  }
}

/** A small table, and the first of what is not as it should be. */
export function describeStorm(result: StormResult): string {
  const { sent, happened, refusals } = result
  const rows: [string, string | number][] = [
    ['lives', result.lives],
    ['webhooks', sent.webhooks],
    ['  that came twice', sent.duplicates],
    ['  with a bad signature', `${sent.badSignatures}, ${sent.refused} refused with 401`],
    ['  of those listed', `${refusals.listed}, ${refusals.counted} counted`],
    ['sent again by the gateway', sent.sentAgain],
    ['workers killed', happened.workerKills],
    ['Postgres crashed', happened.postgresRestarts],
    ['Redis flushed', result.redis ? happened.redisFlushes : 'no redis-server here'],
    ['entries', result.entries],
    ['receipts', result.receipts],
    ['plain run, storm', `${result.plainSeconds} s, ${result.stormSeconds} s`],
    ['differences', result.differences.length],
    ['findings', result.findings.length],
  ]
  const width = Math.max(...rows.map(([label]) => label.length))
  const table = rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`)
  const different = result.differences.slice(0, SHOWN).flatMap(({ section, key, plain, storm }) => {
    const life = result.lifeOf(key) ?? result.lifeOf(plain ?? '') ?? result.lifeOf(storm ?? '')
    return [
      `${section} ${key}${life === null ? '' : `, life ${life}`}`,
      `  plain ${plain ?? 'nothing'}`,
      `  storm ${storm ?? 'nothing'}`,
    ]
  })
  return [...table, ...different, ...result.findings.slice(0, SHOWN)].join('\n')
}
