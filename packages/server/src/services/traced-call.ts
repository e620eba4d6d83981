import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code } from "@parlor/contract";
import type { Call } from "../domain/call.ts";
import type { Span, Tracing } from "../ports/tracing.ts";
import { asParlorError } from "./faults.ts";

/** The codes that say that the server failed; with the others it did as it should. */
const failures: ReadonlySet<Code> = new Set([Code.UNKNOWN, Code.INTERNAL, Code.UNAVAILABLE, Code.DATA_LOSS, Code.UNIMPLEMENTED]);

type Outcome = { readonly response: Message } | { readonly error: unknown };

/** Carries out a call in a span, which is told to the call, so that it goes with it to other services. */
export async function traceCall(
  tracing: Tracing,
  method: DescMethod,
  call: Call,
  work: (call: Call) => Promise<Message>,
): Promise<Message> {
  const attributes = { "parlor.protocol": call.protocol, "parlor.request_id": call.requestId };
  const options = { kind: "server", attributes, from: call.traceparent } as const;
  const outcome = await tracing.span(`${method.parent.name}.${method.name}`, options, (span) => carryOut(span, call, work));
  if ("error" in outcome) throw outcome.error;
  return outcome.response;
}

async function carryOut(span: Span, call: Call, work: (call: Call) => Promise<Message>): Promise<Outcome> {
  try {
    const response = await work({ ...call, traceparent: span.traceparent });
    span.set("rpc.response.status_code", Code[Code.OK]);
    return { response };
  } catch (error) {
    const { code } = asParlorError(error);
    span.set("rpc.response.status_code", Code[code]);
    if (failures.has(code)) span.fail(Code[code]);
    return { error };
  }
}
