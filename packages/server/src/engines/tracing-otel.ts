// Traces by OpenTelemetry's SDK, sent in OTLP (protobuf over HTTP). Nothing is registered globally: nodes of one process are apart.
import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, type Span as OtelSpan, ROOT_CONTEXT, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, resourceAttributesEnvDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Span, SpanOptions, TraceParent, Tracing } from "../ports/tracing.ts";
import { contextOf, linksTo, traceparentOf } from "./tracing-context.ts";
import { type SamplerName, samplerOf } from "./tracing-sampler.ts";

export interface OtelOptions {
  /** Where a collector takes traces, such as http://127.0.0.1:4318/v1/traces. */
  readonly url: string;
  readonly serviceName: string;
  readonly version: string;
  readonly nodeId: string;
  readonly sampler: SamplerName;
  /** The share of traces that samplers with a ratio take, from 0 to 1. */
  readonly ratio: number;
  /** Told when the collector does not take spans, once until it does again. Spans are lost meanwhile. */
  readonly onFailure: (error: Error | undefined) => void;
}

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const;

/** How long the end of a node waits for a collector that does not answer (milliseconds). */
const CLOSE_MS = 3000;

/** Further settings (headers, time-outs, certificates) the exporter reads from the OTEL_EXPORTER_OTLP_... environment itself. */
export function openOtel({ url, serviceName, version, nodeId, sampler, ratio, onFailure }: OtelOptions): Tracing {
  const about = { "service.name": serviceName, "service.version": version, "service.instance.id": nodeId };
  const exporter = reporting(new OTLPTraceExporter({ url }), onFailure);
  const provider = new TracerProvider({
    resource: detectResources({ detectors: [resourceAttributesEnvDetector] }).merge(resourceFromAttributes(about)),
    sampler: samplerOf(sampler, ratio),
    spanProcessors: [new BatchSpanProcessor({ exporter, maxQueueSize: 8192 })],
  });
  return new OtelTracing(provider);
}

class OtelTracing implements Tracing {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #current = new AsyncLocalStorage<Context>();

  constructor(provider: TracerProvider) {
    this.#provider = provider;
    this.#tracer = provider.getTracer("parlor");
  }

  span<T>(name: string, options: SpanOptions, work: (span: Span) => T): T {
    const parent = this.#parentOf(options);
    const span = this.#start(name, options, parent);
    const handle = new SpanHandle(span);
    try {
      const result = this.#current.run(trace.setSpan(parent, span), work, handle);
      if (!(result instanceof Promise)) span.end();
      else void result.catch((error: unknown) => handle.fail(nameOf(error))).finally(() => span.end());
      return result;
    } catch (error) {
      handle.fail(nameOf(error));
      span.end();
      throw error;
    }
  }

  record(name: string, durationMs: number, options: SpanOptions): void {
    const now = Date.now();
    this.#start(name, options, this.#parentOf(options), now - durationMs).end(now);
  }

  current(): TraceParent | undefined {
    const span = this.#current.getStore();
    return span === undefined ? undefined : traceparentOf(trace.getSpanContext(span));
  }

  outside<T>(work: () => T): T {
    return this.#current.exit(work);
  }

  async close(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, CLOSE_MS);
    await Promise.race([this.#provider.shutdown().catch(() => undefined), late.promise]);
    clearTimeout(timer);
  }

  #parentOf({ from }: SpanOptions): Context {
    return from === undefined ? (this.#current.getStore() ?? ROOT_CONTEXT) : contextOf(from);
  }

  #start(name: string, { kind, attributes, alsoFor = [] }: SpanOptions, parent: Context, startTime?: number): OtelSpan {
    const more = startTime === undefined ? {} : { startTime };
    return this.#tracer.startSpan(
      name,
      { kind: kinds[kind ?? "internal"], attributes: { ...attributes }, links: linksTo(alsoFor), ...more },
      parent,
    );
  }
}

class SpanHandle implements Span {
  readonly #span: OtelSpan;

  constructor(span: OtelSpan) {
    this.#span = span;
  }

  get traceparent(): TraceParent {
    return traceparentOf(this.#span.spanContext()) ?? "";
  }

  set(name: string, value: string | number): void {
    this.#span.setAttribute(name, value);
  }

  fail(kind: string): void {
    this.#span.setAttribute("error.type", kind).setStatus({ code: SpanStatusCode.ERROR });
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "Error";
}

/** Tells of the first failure after a success, and of no other. */
function reporting(exporter: SpanExporter, onFailure: OtelOptions["onFailure"]): SpanExporter {
  let failing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.code !== 0;
        if (failed && !failing) onFailure(result.error);
        failing = failed;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}
