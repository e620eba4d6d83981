import { ejabberd } from "../subjects/ejabberd.ts";
import { mosquitto } from "../subjects/mosquitto.ts";
import { parlor, parlorPostgres, parlorProto } from "../subjects/parlor.ts";
import { socketIo, ws, wsCoalesced } from "../subjects/peers.ts";
import { burstsCase } from "./bursts-case.ts";
import { ratioOf, type Scenario } from "./scenario.ts";

const name = "500 members, 1 in flight";

export const s2: Scenario = {
  id: "S2",
  title: "Fan-out, one at a time",
  cases: [
    burstsCase({
      name,
      listeners: 500,
      inFlight: 1,
      subjects: [parlor, socketIo, mosquitto, parlorProto, parlorPostgres, ejabberd, ws, wsCoalesced],
    }),
  ],
  targets: [
    {
      text: "CPU per delivery <= 0.9x Socket.IO",
      case: name,
      subject: parlor.name,
      peer: socketIo.name,
      figure: ratioOf("cpuMicrosPerDelivery"),
      atMost: 0.9,
    },
  ],
};
