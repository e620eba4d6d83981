import type { IncomingHttpHeaders } from "node:http";
import type { Call } from "../domain/call.ts";

/** Where in a trace a call is made, as the client says (W3C Trace Context). What cannot be read begins a trace of its own. */
export function traceOf({ traceparent }: IncomingHttpHeaders): Pick<Call, "traceparent"> {
  return typeof traceparent === "string" ? { traceparent } : {};
}
