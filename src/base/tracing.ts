/** Spans of OpenTelemetry: made where a collector is configured, and free of cost elsewhere. */
import {
  context,
  diag,
  DiagLogLevel,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Link,
  type Span,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace'
import { setTimeout as delay } from 'node:timers/promises'
import { sqlStateOf } from './database-error.ts'
import { Problem } from './problem.ts'

/** A W3C `traceparent`: the trace that something belongs to, and the span that led to it. */
export type TraceContext = string

export interface SpanOptions {
  kind?: 'server' | 'client' | 'internal'
  attributes?: Attributes
  /** The span that this one comes from: the active one where nothing is said, null for none. */
  parent?: TraceContext | null
  /** Others that it has to do with. */
  links?: readonly (TraceContext | null)[]
}

export interface Tracing {
  /** Sends what is there, for a few seconds at most, and makes no more spans. */
  close(): Promise<void>
}

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
} as const

const CLOSE_MS_MAX = 3000
const NO_SPAN = trace.wrapSpanContext(INVALID_SPAN_CONTEXT)
const NO_TRACING: Tracing = { close: async () => await Promise.resolve() }

let isOn = false

/**
 * Sends the process's spans to a collector; nothing where there is no endpoint, or where another
 * part of the process does so already. Headers and sampling come from OpenTelemetry's variables.
 */
export function openTracing(
  endpoint: string | null,
  service: string,
  warn: (message: string) => void,
): Tracing {
  if (endpoint === null || isOn) {
    return NO_TRACING
  }
  const say = (message: string) => warn(`tracing: ${message}`)
  const quiet = () => undefined
  const logger = { error: say, warn: say, info: quiet, debug: quiet, verbose: quiet }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`
  return startTracing(new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }) }), service)
}

/** Makes spans, for that processor. One at a time in a process. */
export function startTracing(processor: SpanProcessor, service: string): Tracing {
  const resource = resourceFromAttributes({ 'service.name': service.replaceAll(' ', '-') })
  const provider = new TracerProvider({ resource, spanProcessors: [processor] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(provider)
  isOn = true
  return {
    async close() {
      isOn = false
      // A collector that is away keeps nobody from ending.
      const late = delay(CLOSE_MS_MAX, undefined, { ref: false })
      await Promise.race([provider.shutdown(), late])
      trace.disable()
      context.disable()
      diag.disable()
    },
  }
}

/** Runs the work in a span; a failure is told by its code, never by its words. */
export async function inSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  if (!isOn) {
    return await work(NO_SPAN)
  }
  const from = parentOf(options.parent)
  const span = startSpan(name, options, from)
  try {
    return await context.with(trace.setSpan(from, span), async () => await work(span))
  } catch (error) {
    failed(span, error)
    throw error
  } finally {
    span.end()
  }
}

/** Runs work that goes on by itself in a span, which `end` ends. */
export function withSpan(
  name: string,
  options: SpanOptions,
  work: (span: Span | null) => void,
): void {
  if (!isOn) {
    work(null)
    return
  }
  const from = parentOf(options.parent)
  const span = startSpan(name, options, from)
  context.with(trace.setSpan(from, span), () => work(span))
}

/** One of several things that are done together, with the trace that it goes on in. */
export interface Part {
  key: string
  parent: TraceContext | null
  attributes?: Attributes
}

/** Runs work that does all the parts at once, each with a span in its own trace beside this one. */
export async function inSpans<T>(
  name: string,
  parts: readonly Part[],
  work: (contextOf: (key: string) => TraceContext | null) => Promise<T>,
): Promise<T> {
  if (!isOn) {
    return await work(() => null)
  }
  const links = [traceContext()]
  const spans = new Map(
    parts.map(({ key, parent, attributes = {} }) => {
      return [key, startSpan(name, { attributes, links }, parentOf(parent))]
    }),
  )
  try {
    return await work((key) => {
      const span = spans.get(key)
      return span === undefined ? null : contextOf(span)
    })
  } catch (error) {
    spans.forEach((span) => failed(span, error))
    throw error
  } finally {
    spans.forEach((span) => span.end())
  }
}

/** The active span, to be passed on; null where there is none. */
export function traceContext(): TraceContext | null {
  const span = isOn ? trace.getActiveSpan() : undefined
  return span === undefined ? null : contextOf(span)
}

/** The active trace, for log lines; undefined where there is none. */
export function traceId(): string | undefined {
  return isOn ? trace.getActiveSpan()?.spanContext().traceId : undefined
}

/** Notes on the active span that something happened. */
export function spanEvent(name: string, attributes: Attributes): void {
  if (isOn) {
    trace.getActiveSpan()?.addEvent(name, attributes)
  }
}

/** Ends a span of `withSpan`, as failed where it did. */
export function endSpan(span: Span | null, isFailed: boolean): void {
  if (isFailed) {
    span?.setStatus({ code: SpanStatusCode.ERROR })
  }
  span?.end()
}

/** A span's trace as a log line has it; nothing where there is none. */
export function tracePlace(span: Span | null): { trace_id?: string } {
  return span === null ? {} : { trace_id: span.spanContext().traceId }
}

function startSpan(name: string, options: SpanOptions, from: Context): Span {
  const links = (options.links ?? []).flatMap((one): Link[] => {
    const linked = spanContextOf(one)
    return linked === undefined ? [] : [{ context: linked }]
  })
  const { kind = 'internal', attributes = {} } = options
  return trace.getTracer('bahi').startSpan(name, { kind: KINDS[kind], attributes, links }, from)
}

/** Says of a span that it failed, and with what code. */
export function failed(span: Span, error: unknown): void {
  const state = sqlStateOf(error)
  const name = error instanceof Error ? error.name : 'thrown'
  span.setAttribute('error.type', error instanceof Problem ? error.code : (state ?? name))
  if (state !== undefined) {
    span.setAttribute('db.response.status_code', state)
  }
  span.setStatus({ code: SpanStatusCode.ERROR })
}

function contextOf(span: Span): TraceContext | null {
  const { traceId: id, spanId, traceFlags } = span.spanContext()
  return isSpanContextValid(span.spanContext())
    ? `00-${id}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
    : null
}

function parentOf(parent: TraceContext | null | undefined): Context {
  if (parent === undefined) {
    return context.active()
  }
  const from = spanContextOf(parent)
  return from === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, from)
}

/** W3C Trace Context, level 1; undefined for what has another form. */
function spanContextOf(text: string | null) {
  const form = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/
  const [, id = '', spanId = '', flags = ''] = form.exec(text ?? '') ?? []
  const from = { traceId: id, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true }
  return isSpanContextValid(from) ? from : undefined
}
