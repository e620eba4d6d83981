import type { IncomingHttpHeaders } from "node:http2";
import type { Call } from "../../domain/call.ts";
import { readForwarded, serviceMetadata } from "../../domain/forwarded-call.ts";
import type { ClientAddresses } from "../client-address.ts";
import { malformed } from "../errors.ts";
import { requestIdOf } from "../request-id.ts";
import { traceOf } from "../trace-parent.ts";

/**
 * What a call brings beside its message, wherever HTTP/2 headers come from. Whose call another service passes on stands in
 * metadata that the gate lets through for services alone.
 * @throws ParlorError MALFORMED when that metadata cannot be read
 */
export function callOf(headers: IncomingHttpHeaders, peer: string | undefined, addresses: ClientAddresses): Call {
  const requestId = requestIdOf(headers["x-request-id"]);
  const forwarded = headers[serviceMetadata.call];
  const about = { requestId, ...traceOf(headers) };
  if (forwarded !== undefined) return { ...about, ...forwardedCall(forwarded as string) };
  return { ...about, protocol: "grpc", address: addresses.of(peer, headers["x-forwarded-for"] as string | undefined) };
}

function forwardedCall(base64: string): Omit<Call, "requestId"> {
  try {
    return readForwarded(Buffer.from(base64, "base64"));
  } catch (cause) {
    throw malformed(`The metadata ${serviceMetadata.call} cannot be read.`, cause);
  }
}

/** A deadline as milliseconds from now (gRPC over HTTP/2, "Timeout"); undefined when there is none that can be read. */
export function timeoutMsOf(header: string | string[] | undefined): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  const unitMs = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000001 }[unit ?? ""];
  // What setTimeout cannot hold, 24 days, is no deadline for a stream.
  return unitMs === undefined ? undefined : Math.min(Number(digits) * unitMs, 2 ** 31 - 1);
}
