// A collector of OpenTelemetry that keeps what it is sent.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";

// What the tests need of opentelemetry/proto/collector/trace/v1/trace_service.proto.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; repeated Link links = 13;
    Status status = 15;
  }
  message ScopeSpans { repeated Span spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
`);
const requestType = root.lookupType("ExportTraceServiceRequest");

interface WireAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, string | number>>;
}

interface WireSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId?: Buffer;
  readonly name: string;
  readonly attributes?: readonly WireAttribute[];
  readonly links?: readonly { readonly spanId: Buffer }[];
  readonly status?: { readonly code?: number };
}

interface WireRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly WireAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface CollectedSpan {
  readonly traceId: string;
  readonly id: string;
  /** Empty for the root of a trace. */
  readonly parentId: string;
  readonly name: string;
  readonly attributes: Attributes;
  readonly links: readonly string[];
  readonly failed: boolean;
  readonly resource: Attributes;
}

export interface Collector extends AsyncDisposable {
  readonly url: string;
  readonly spans: CollectedSpan[];
  /** Everything that came, as it came. */
  readonly bytes: Buffer[];
}

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const bytes: Buffer[] = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    bytes.push(Buffer.from(JSON.stringify(request.headers)), body);
    spans.push(...decode(body));
    response.writeHead(request.url === "/v1/traces" ? 200 : 404, { "content-type": "application/x-protobuf" }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url, spans, bytes, [Symbol.asyncDispose]: close };
}

function decode(body: Buffer): CollectedSpan[] {
  const { resourceSpans } = requestType.toObject(requestType.decode(body), { longs: Number }) as WireRequest;
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const about = plain(resource.attributes);
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => collected(span, about)));
  });
}

function collected({ traceId, spanId, parentSpanId, name, attributes, links = [], status }: WireSpan, resource: Attributes): CollectedSpan {
  return {
    traceId: hex(traceId),
    id: hex(spanId),
    parentId: hex(parentSpanId),
    name,
    attributes: plain(attributes),
    links: links.map((link) => hex(link.spanId)),
    failed: status?.code === 2,
    resource,
  };
}

function hex(bytes: Uint8Array = Buffer.alloc(0)): string {
  return Buffer.from(bytes).toString("hex");
}

function plain(attributes: readonly WireAttribute[] = []): Attributes {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
