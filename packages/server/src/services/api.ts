import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { Call, Caller, Protocol } from "../domain/call.ts";

/** Every unary method of the contract, behind one door: what a transport calls. */
export interface Api {
  /**
   * Who a token belongs to; undefined when there is none.
   * @throws ParlorError UNAUTHENTICATED when the token is not good
   */
  authenticate(token: string | undefined, origin: { readonly protocol: Protocol; readonly address: string }): Promise<Caller | undefined>;
  /**
   * Checks the request against the contract's rules and the caller against its access, counts it against its limit, and calls
   * the service.
   * @throws ParlorError and nothing else
   */
  call(method: DescMethod, request: Message, call: Call): Promise<Message>;
}
