import type { IncomingHttpHeaders } from "node:http2";
import type { Call } from "../../domain/call.ts";
import type { ClientAddresses } from "../client-address.ts";
import { requestIdOf } from "../request-id.ts";

/** What a call brings beside its message, wherever HTTP/2 headers come from. */
export function callOf(headers: IncomingHttpHeaders, peer: string | undefined, addresses: ClientAddresses): Call {
  return {
    requestId: requestIdOf(headers["x-request-id"]),
    protocol: "grpc",
    address: addresses.of(peer, headers["x-forwarded-for"] as string | undefined),
  };
}

/** A deadline as milliseconds from now (gRPC over HTTP/2, "Timeout"); undefined when there is none that can be read. */
export function timeoutMsOf(header: string | string[] | undefined): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  const unitMs = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000001 }[unit ?? ""];
  // What setTimeout cannot hold, 24 days, is no deadline for a stream.
  return unitMs === undefined ? undefined : Math.min(Number(digits) * unitMs, 2 ** 31 - 1);
}
