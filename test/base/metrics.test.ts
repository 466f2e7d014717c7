/** Metrics by their rules, and nothing on the dashboard or in the alerts that nobody counts. */
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import '../../src/base/metrics-gateways.ts'
import { registry } from '../../src/base/metrics.ts'
import { LIMITS } from '../../src/http/limits.ts'

interface Known {
  type: string
  help: string
  labels: readonly string[]
}

const known = new Map(
  registry.getMetricsAsArray().map((metric) => {
    const { labelNames = [] } = metric as unknown as { labelNames?: string[] }
    return [metric.name, { type: String(metric.type), help: metric.help, labels: labelNames }]
  }),
)
const own = [...known].filter(([name]) => name.startsWith('bahi_'))

const read = (path: string) => readFileSync(new URL(`../../ops/${path}`, import.meta.url), 'utf8')

interface Panel {
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string; legendFormat: string }[]
}

const dashboard = JSON.parse(read('grafana/bahi.json')) as { panels: Panel[] }

/** One rule of a group, as far as these rules are written. */
interface Rule {
  name: string
  expr: string
  text: string
}

const rules = read('prometheus/alerts.yml')
  .split(/^ {6}- alert: /m)
  .slice(1)
  .map((text): Rule => {
    const [name = ''] = text.split('\n')
    return { name, expr: /^ {8}expr: (.+)$/m.exec(text)?.[1] ?? '', text }
  })

/** What Prometheus itself knows of whom it scrapes. */
const PROMETHEUS = ['up']
/** Labels that Prometheus and its histograms add. */
const ADDED = ['le', 'instance', 'job']

const metricOf = (series: string): Known | undefined =>
  known.get(series) ?? known.get(series.replace(/_(?:bucket|sum|count)$/, ''))

/** What an expression names that there is not: a series, or a label of one. */
function unknownIn(expr: string): string[] {
  const bare = expr.replaceAll(/"[^"]*"/g, '""')
  const series = [...bare.matchAll(/\b(?:bahi|nodejs|process)_\w+|\bup\b/g)].map(([name]) => name)
  const unknown = series.filter(
    (name) => !PROMETHEUS.includes(name) && metricOf(name) === undefined,
  )
  const labels = series.flatMap((name) => metricOf(name)?.labels ?? [])
  const used = [
    ...[...bare.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside = '']) =>
      [...inside.matchAll(/(\w+)\s*(?:=~|!=|!~|=)/g)].map(([, label = '']) => label),
    ),
    ...[...bare.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inside = '']) => inside.split(/,\s*/)),
  ]
  return [...unknown, ...used.filter((label) => ![...labels, ...ADDED].includes(label))]
}

describe('metrics', () => {
  it('are named for the product, in base units, and each says what it is', () => {
    expect(own.length).to.be.greaterThan(20)
    for (const [name, { type, help }] of own) {
      expect(help, name).to.match(/^[A-Z].{15,}\.$/)
      expect(name, name).to.match(/^bahi_[a-z][a-z_]+[a-z]$/)
      expect(name, name).to.not.match(/_(?:ms|millis|milliseconds|minutes|kb|percent)(?:_|$)/)
      expect(name.endsWith('_total'), name).to.equal(type === 'counter')
      if (type === 'histogram') {
        expect(name, name).to.match(/_seconds$/)
      }
    }
  })

  it('cover what has to be seen: posting, retries, webhooks, queues, dead letters, emails', () => {
    expect(own.map(([name]) => name)).to.include.members([
      'bahi_posting_duration_seconds',
      'bahi_serialization_retries_total',
      'bahi_webhook_age_seconds',
      'bahi_oldest_waiting_seconds',
      'bahi_waiting_rows',
      'bahi_dead_rows',
      'bahi_receipt_emails_total',
      'bahi_receipt_email_rows',
    ])
  })

  it('have no label that has a value for each caller or row', () => {
    const few = new Set(own.flatMap(([, { labels }]) => labels))
    expect(
      [...few].filter((label) => /(?:_id|subject|email|path|address|key)$/.test(label)),
    ).to.deep.equal([])
  })
})

describe('the dashboard', () => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row')

  it('asks only for metrics and labels that there are', () => {
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    expect(expressions.length).to.be.greaterThan(25)
    expect(expressions.flatMap(unknownIn)).to.deep.equal([])
    expect(unknownIn('sum by (gateway) (rate(bahi_webhook_total[5m]))')).to.deep.equal([
      'bahi_webhook_total',
      'gateway',
    ])
    expect(unknownIn('sum by (gatewy) (bahi_webhooks_total{outcom="x"})')).to.deep.equal([
      'outcom',
      'gatewy',
    ])
    expect(
      unknownIn('sum by (le, gateway) (rate(bahi_webhook_age_seconds_bucket[5m]))'),
    ).to.deep.equal([])
  })

  it('shows every metric of ours somewhere', () => {
    const text = JSON.stringify(dashboard)
    expect(own.map(([name]) => name).filter((name) => !text.includes(name))).to.deep.equal([])
  })

  it('shows wrong tokens, by the classes that their limits have', () => {
    const guesses = panels.find(({ title }) => title === 'Guesses above their limit')
    const [, classes = ''] = /class=~"([^"]+)"/.exec(guesses?.targets?.[0]?.expr ?? '') ?? []
    expect(classes.split('|')).to.include('wrong_token')
    expect(Object.keys(LIMITS)).to.include.members(classes.split('|'))
  })

  it('has legends with labels that the expression keeps, and panels that do not overlap', () => {
    for (const { title, targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
        const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inside = '']) =>
          inside.split(/,\s*/),
        )
        expect(kept, `${title}: ${expr}`).to.include.members(shown)
      }
    }
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_one, n) => `${x + (n % w)} ${y + Math.floor(n / w)}`),
    )
    expect(new Set(cells).size).to.equal(cells.length)
  })
})

describe('the alert rules', () => {
  it('ask only for metrics and labels that there are', () => {
    expect(rules.length).to.be.greaterThan(15)
    expect(rules.flatMap(({ expr }) => unknownIn(expr))).to.deep.equal([])
  })

  it('are given for all that somebody waits for by email', () => {
    const wait = rules.find(({ name }) => name === 'EmailsWait')
    expect(wait?.expr).to.contain('kind=~"receipts|emails|invitations|export_emails|recon_emails"')
  })

  it('each wait a while, say how grave it is, and tell what to do', () => {
    for (const { name, expr, text } of rules) {
      expect(name).to.match(/^[A-Z][A-Za-z]+$/)
      expect(expr, name).to.not.equal('')
      expect(text, name).to.match(/^ {8}for: \d+[smhd]$/m)
      expect(text, name).to.match(/^ {8}labels: \{ severity: (?:critical|warning) \}$/m)
      const [, summary = ''] = /^ {10}summary: (.+)$/m.exec(text) ?? []
      expect(summary.length, name).to.be.greaterThan(60)
      // What is wrong, and then at least a sentence more.
      expect(summary, name).to.match(/\S[.;,] \S.+\.$/)
      const shown = [...summary.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
      const bare = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/) ?? ADDED
      expect(bare, name).to.include.members(shown)
    }
    expect(new Set(rules.map(({ name }) => name)).size).to.equal(rules.length)
  })
})
