import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import { Code, ParlorError, Reason } from "@parlor/contract";
import type { Call } from "../../domain/call.ts";
import type { Hosted } from "../dispatcher.ts";
import type { ServiceChannel } from "./service-channel.ts";

/** Told of each call that was answered without an error. */
export type Answered = (method: DescMethod, request: Message, call: Call) => void;

/** A service that lives in another process: each method passes the call on. */
export function remote(service: DescService, channel: ServiceChannel, answered?: Answered): Hosted {
  const unary = service.methods.filter((method) => method.methodKind === "unary");
  const pass = (method: DescMethod) => async (request: Message, call: Call) => {
    // Whoever passed it on believes that the service is here: it would go round in circles.
    if (call.forwarded) throw new ParlorError(Code.UNIMPLEMENTED, Reason.NO_SUCH_METHOD, `This process does not host ${service.name}.`);
    const answer = await channel.call(method, request, call);
    answered?.(method, request, call);
    return answer;
  };
  return { service, implementation: Object.fromEntries(unary.map((method) => [method.localName, pass(method)])) };
}
