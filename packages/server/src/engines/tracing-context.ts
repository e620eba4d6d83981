import { type Context, isSpanContextValid, type Link, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import type { TraceParent } from "../ports/tracing.ts";

// W3C Trace Context, section 3.2: version 00; of later versions, the fields that it has, too.
const format = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;

/** A place in a trace that somebody else has begun; undefined when it cannot be read. */
function readTraceparent(text: TraceParent): SpanContext | undefined {
  const [, traceId, spanId, flags] = format.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(context) ? context : undefined;
}

export function traceparentOf(context: SpanContext | undefined): TraceParent | undefined {
  if (context === undefined || !isSpanContextValid(context)) return undefined;
  return `00-${context.traceId}-${context.spanId}-0${context.traceFlags & 1}`;
}

export function contextOf(from: TraceParent): Context {
  const remote = readTraceparent(from);
  return remote === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
}

export function linksTo(others: readonly TraceParent[]): Link[] {
  return others
    .map(readTraceparent)
    .filter((context) => context !== undefined)
    .map((context) => ({ context }));
}
