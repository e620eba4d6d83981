import { parlor, parlorProto } from "../subjects/parlor.ts";
import { socketIo } from "../subjects/peers.ts";
import { idleCase } from "./idle-case.ts";
import { ratioOf, type Scenario } from "./scenario.ts";

const name = "10,000 idle WebSocket connections";

export const s7: Scenario = {
  id: "S7",
  title: "Idle connections",
  cases: [idleCase(name, [parlor, socketIo, parlorProto])],
  targets: [
    {
      text: "RSS per connection <= 0.5x Socket.IO",
      case: name,
      subject: parlor.name,
      peer: socketIo.name,
      figure: ratioOf("kibPerConnection"),
      atMost: 0.5,
    },
  ],
};
