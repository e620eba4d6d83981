import type { Packet } from "mqtt-packet";
import { protocolError } from "./breach.ts";
import type { Client } from "./client.ts";
import { handlePublish } from "./publish.ts";
import { ReasonCode } from "./reason-codes.ts";
import { handleSubscribe, handleUnsubscribe } from "./subscribe.ts";

/** Carries out a packet of an open connection; a promise when the next one has to wait. @throws Breach */
export function carryOut(client: Client, packet: Packet): Promise<void> | undefined {
  switch (packet.cmd) {
    case "publish":
      return handlePublish(client, packet);
    case "puback":
      client.inFlight.acknowledge(packet.messageId as number, 1, client.session);
      return void client.windowMoved();
    case "pubrel":
      // Section 4.3.3. One that is not known was released, or its publication answered, by an earlier connection.
      client.unanswered.release(packet.messageId as number);
      return void client.send({ cmd: "pubcomp", messageId: packet.messageId as number, reasonCode: ReasonCode.SUCCESS });
    case "subscribe":
      return handleSubscribe(client, packet);
    case "unsubscribe":
      return handleUnsubscribe(client, packet);
    case "pingreq":
      return void client.send({ cmd: "pingresp" });
    case "disconnect":
      return void client.disconnected(packet);
    default:
      // Sections 3.1.0 and 2.1.2: a second CONNECT, what answers QoS 2, and those that only a server sends.
      throw protocolError(`A ${packet.cmd.toUpperCase()} may not come here.`);
  }
}
