import type { DescMessage, DescMethod, Message, MessageShape } from "@bufbuild/protobuf";
import type { Call, Caller, Protocol } from "../domain/call.ts";

/** What the stream needs of the services: the same doors as every transport. */
export interface Calls {
  /** @throws ParlorError UNAUTHENTICATED */
  authenticate(token: string | undefined, origin: { readonly protocol: Protocol; readonly address: string }): Promise<Caller | undefined>;
  /** @throws ParlorError */
  call(method: DescMethod, request: Message, call: Call): Promise<Message>;
  /** Checks a message against the contract and counts a frame that is no call. @throws ParlorError */
  admit<S extends DescMessage>(schema: S, message: MessageShape<S>, caller: Caller): void;
}
