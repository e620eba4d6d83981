import { Code, ParlorError, Reason } from "@parlor/contract";
import { malformed } from "../errors.ts";
import { ReasonCode } from "./reason-codes.ts";

/** Something after which the standard wants the connection closed, with the reason code that it has for it. */
export class Breach extends Error {
  override readonly name = "Breach";
  readonly reasonCode: ReasonCode;
  readonly error: ParlorError;

  constructor(reasonCode: ReasonCode, error: ParlorError) {
    super(error.message);
    this.reasonCode = reasonCode;
    this.error = error;
  }
}

/** A packet that cannot be read (MQTT 5, section 1.2: Malformed Packet). */
export function malformedPacket(message: string): Breach {
  return new Breach(ReasonCode.MALFORMED_PACKET, malformed(message));
}

/** A packet that can be read and may not come, or not now (MQTT 5, section 1.2: Protocol Error). */
export function protocolError(message: string, reasonCode: ReasonCode = ReasonCode.PROTOCOL_ERROR): Breach {
  return new Breach(reasonCode, new ParlorError(Code.FAILED_PRECONDITION, Reason.UNEXPECTED_FRAME, message));
}
