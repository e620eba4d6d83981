import { type DescMethod, fromBinary, type Message } from "@bufbuild/protobuf";
import { type ServiceError, status } from "@grpc/grpc-js";
import { accessOf, Code, ErrorSchema, ParlorError, Reason } from "@parlor/contract";
import type { ServiceName } from "../../domain/service-names.ts";

/** What gRPC says when it was the connection that failed, and not the service. */
const ofConnections: ReadonlySet<number> = new Set([status.UNAVAILABLE, status.CANCELLED, status.INTERNAL]);

/** Whether the connection was lost before an answer came: the call may or may not have taken effect. */
export function isLost({ code, metadata }: ServiceError): boolean {
  return ofConnections.has(code) && metadata.get("parlor-error-bin").length === 0;
}

/** The error of a failed call: the service's own, just as it threw it, or why there is none. */
export function failureOf(name: ServiceName, error: ServiceError): ParlorError {
  const [bytes] = error.metadata.get("parlor-error-bin");
  if (Buffer.isBuffer(bytes)) return ofService(name, ParlorError.fromWire(fromBinary(ErrorSchema, bytes)));
  if (isLost(error)) return unavailable(name, "was lost midway; the call may or may not have taken effect", error);
  if (error.code === status.DEADLINE_EXCEEDED) return late(error);
  return new ParlorError(Code.INTERNAL, Reason.FAULT, "Something went wrong in the server.", { cause: error });
}

/** Nobody is there, and nothing was sent. */
export function unreachable(name: ServiceName): ParlorError {
  return unavailable(name, "does not answer; try again");
}

/** It has so many calls already that nothing was sent. */
export function busy(name: ServiceName): ParlorError {
  return unavailable(name, "has too many calls waiting; try again");
}

export function late(cause?: unknown): ParlorError {
  return new ParlorError(Code.DEADLINE_EXCEEDED, Reason.TIMEOUT, "The answer came too late.", { cause });
}

/** A client has no part in it when services do not trust each other: it must not believe that its own token is bad. */
function ofService(name: ServiceName, error: ParlorError): ParlorError {
  if (error.reason !== Reason.NOT_A_SERVICE) return error;
  const cause = new Error(`The ${name} service takes this process for a stranger: is PARLOR_SERVICE_TOKEN the same in both?`);
  return new ParlorError(Code.INTERNAL, Reason.FAULT, "Something went wrong in the server.", { cause });
}

function unavailable(name: ServiceName, what: string, cause?: unknown): ParlorError {
  return new ParlorError(Code.UNAVAILABLE, Reason.SERVICE_UNAVAILABLE, `The ${name} service ${what}.`, { retryAfterMs: 1000, cause });
}

/** Whether a call may be made again when nobody knows whether it was carried out. A send is known again only by its key. */
export function isRepeatable(method: DescMethod, request: Message): boolean {
  const keyless = "clientMessageId" in request && request.clientMessageId === "";
  return accessOf(method).idempotent && !keyless;
}
