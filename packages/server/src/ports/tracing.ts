/** What a span says of its work. Names and numbers; never texts, tokens, parameters of statements or other contents. */
export type SpanAttributes = Readonly<Record<string, string | number>>;

/** A place in a trace as W3C Trace Context writes it (`traceparent`), so that it can go over any wire. */
export type TraceParent = string;

export interface SpanOptions {
  /** `server` and `consumer` begin this node's part of a trace, `client` and `producer` talk to somebody else. */
  readonly kind?: "server" | "client" | "producer" | "consumer";
  readonly attributes?: SpanAttributes;
  /** Where the work comes from; left out, it is a part of the span that is current. What cannot be read begins a new trace. */
  readonly from?: TraceParent | undefined;
  /** What else the work is done for. */
  readonly alsoFor?: readonly TraceParent[];
}

export interface Span {
  /** For whoever carries the trace on. */
  readonly traceparent: TraceParent;
  set(name: string, value: string | number): void;
  /** Marks the work as failed; `kind` is the name of an error or of a code, never its message. */
  fail(kind: string): void;
}

/**
 * Records what the server does, and how long it takes, as spans of traces. It is left out where traces are off, so that hot paths
 * pay no more than to look. Nothing here throws but `work`.
 */
export interface Tracing {
  /** Runs `work` in a span that ends with it, or with the promise that it returns. */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => T): T;
  /** A span that has ended already, after `durationMs`. */
  record(name: string, durationMs: number, options: SpanOptions): void;
  /** Where in a trace this is called; undefined outside of every span. */
  current(): TraceParent | undefined;
  /** Runs work that outlives the span in which it begins. */
  outside<T>(work: () => T): T;
  /** Sends what is waiting, and ends. */
  close(): Promise<void>;
}

/** The id of the trace, as people look it up. */
export function traceIdOf(parent: TraceParent): string {
  return parent.slice(3, 35);
}
