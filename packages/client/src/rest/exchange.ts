import { create, type DescMethod, fromJson, type JsonValue, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Code, ErrorSchema, ParlorError, Reason, toHttp } from "@parlor/contract";
import type { Clock } from "../clock.ts";
import { aborted, brokenContract, timedOut, unavailable } from "../errors.ts";
import type { Server, Servers } from "../servers.ts";

/** Where to send HTTP requests, and with what. */
export interface HttpTarget {
  readonly servers: Servers;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

export interface CallOptions {
  /** Ends the call early: CANCELLED, or DEADLINE_EXCEEDED for `AbortSignal.timeout`. */
  readonly signal?: AbortSignal;
  /** Milliseconds for each try; 30,000 unless given. */
  readonly timeoutMs?: number;
}

/** A request of any method with its answer's type kept. */
export interface Exchange<M extends DescMethod> {
  readonly method: M;
  readonly request: MessageInitShape<M["input"]>;
  readonly token?: string | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Calls a method over HTTP, once, at the server in use; one that does not answer is not the one in use any more.
 * @throws ParlorError the server's, or UNAVAILABLE, DEADLINE_EXCEEDED or CANCELLED of this side
 */
export async function exchange<M extends DescMethod>(
  target: HttpTarget,
  call: Exchange<M>,
  options: CallOptions,
): Promise<MessageShape<M["output"]>> {
  const server = target.servers.current;
  try {
    return await exchangeWith(server, target, call, options);
  } catch (error) {
    if (error instanceof ParlorError) target.servers.failed(server, error);
    throw error;
  }
}

async function exchangeWith<M extends DescMethod>(
  server: Server,
  target: HttpTarget,
  call: Exchange<M>,
  { signal, timeoutMs }: CallOptions,
): Promise<MessageShape<M["output"]>> {
  const request = toRequest(server, call);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(aborted(signal as AbortSignal));
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const cancelTimer = target.clock.after(timeoutMs ?? DEFAULT_TIMEOUT_MS, () => stop.abort(timedOut()));
  try {
    const response = await target.fetch(request.url, { ...request.init, signal: stop.signal });
    const text = await response.text();
    return response.ok ? readAnswer(call.method, text) : refuse(response, text, target.clock);
  } catch (error) {
    if (stop.signal.aborted) throw stop.signal.reason;
    throw error instanceof ParlorError ? error : unavailable("The server cannot be reached.", error);
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", onAbort);
  }
}

function toRequest<M extends DescMethod>({ rest }: Server, { method, request, token }: Exchange<M>): { url: string; init: RequestInit } {
  const { verb, path, body } = toHttp(method, create(method.input, request));
  const headers: Record<string, string> = { accept: "application/json" };
  if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  // No cookies: a token is all that says who calls. No cache: an answer is of now.
  const init: RequestInit = { method: verb, headers, credentials: "omit", cache: "no-store" };
  return { url: rest + path, init: body === undefined ? init : { ...init, body } };
}

/** Fields that a newer server may add are left aside. */
function readAnswer<M extends DescMethod>(method: M, text: string): MessageShape<M["output"]> {
  try {
    return fromJson(method.output, JSON.parse(text) as JsonValue, { ignoreUnknownFields: true }) as MessageShape<M["output"]>;
  } catch (cause) {
    throw brokenContract("The answer could not be read.", cause);
  }
}

function refuse(response: Response, text: string, clock: Clock): never {
  const retryAfterMs = readRetryAfter(response.headers.get("retry-after"), clock);
  const error = readError(text) ?? fromStatus(response.status);
  if (error.retryAfterMs !== undefined || retryAfterMs === undefined) throw error;
  const { code, reason, message, violations, requestId } = error;
  throw new ParlorError(code, reason, message, { violations, requestId, retryAfterMs });
}

function readError(text: string): ParlorError | undefined {
  try {
    const wire = fromJson(ErrorSchema, JSON.parse(text) as JsonValue, { ignoreUnknownFields: true });
    return wire.code === Code.OK ? undefined : ParlorError.fromWire(wire);
  } catch {
    return undefined;
  }
}

const codes: Readonly<Record<number, Code>> = {
  400: Code.INVALID_ARGUMENT,
  401: Code.UNAUTHENTICATED,
  403: Code.PERMISSION_DENIED,
  404: Code.UNIMPLEMENTED,
  405: Code.UNIMPLEMENTED,
  413: Code.RESOURCE_EXHAUSTED,
  429: Code.RESOURCE_EXHAUSTED,
  500: Code.INTERNAL,
  502: Code.UNAVAILABLE,
  503: Code.UNAVAILABLE,
  504: Code.UNAVAILABLE,
};

/** The error of an answer that is not Parlor's, such as a proxy's page. */
function fromStatus(status: number): ParlorError {
  const reason = status === 429 ? Reason.RATE_LIMITED : Reason.REASON_UNSPECIFIED;
  return new ParlorError(codes[status] ?? Code.UNKNOWN, reason, `The server answered with HTTP status ${status}.`);
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function readRetryAfter(header: string | null, clock: Clock): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - clock.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
