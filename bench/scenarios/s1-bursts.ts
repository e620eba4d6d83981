import { ejabberd } from "../subjects/ejabberd.ts";
import { mosquitto } from "../subjects/mosquitto.ts";
import { parlor, parlorPostgres, parlorProto } from "../subjects/parlor.ts";
import { socketIo, ws, wsCoalesced } from "../subjects/peers.ts";
import { burstsCase } from "./bursts-case.ts";
import { ratioOf, type Scenario, type Target } from "./scenario.ts";

const all = "500 members, 20 in flight";

export const s1: Scenario = {
  id: "S1",
  title: "Fan-out, bursts",
  cases: [
    burstsCase({
      name: all,
      listeners: 500,
      inFlight: 20,
      subjects: [parlor, socketIo, mosquitto, parlorProto, parlorPostgres, ejabberd, ws, wsCoalesced],
    }),
  ],
  targets: [
    timesAsMany(socketIo.name, 12),
    timesAsMany(mosquitto.name, 12),
    timesAsMany(ejabberd.name, 50),
    {
      text: "CPU per delivery <= 0.08x Socket.IO",
      case: all,
      subject: parlor.name,
      peer: socketIo.name,
      figure: ratioOf("cpuMicrosPerDelivery"),
      atMost: 0.08,
    },
  ],
};

function timesAsMany(peer: string, times: number): Target {
  return {
    text: `deliveries/s >= ${times}x ${peer}`,
    case: all,
    subject: parlor.name,
    peer,
    figure: ratioOf("deliveriesPerSecond"),
    atLeast: times,
  };
}
