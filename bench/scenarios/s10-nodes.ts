import { parlorNodes } from "../subjects/parlor.ts";
import { socketIoNodes } from "../subjects/socket-io-nodes.ts";
import { burstsCase } from "./bursts-case.ts";
import { ratioOf, type Scenario } from "./scenario.ts";

const name = "250 members on each of two nodes, 20 in flight";

export const s10: Scenario = {
  id: "S10",
  title: "Two nodes, Redis",
  cases: [burstsCase({ name, listeners: 500, inFlight: 20, subjects: [parlorNodes, socketIoNodes], columns: ["redisMicrosPerMessage"] })],
  targets: [
    {
      text: "deliveries/s >= 5x Socket.IO with its Redis adapter",
      case: name,
      subject: parlorNodes.name,
      peer: socketIoNodes.name,
      figure: ratioOf("deliveriesPerSecond"),
      atLeast: 5,
    },
    {
      text: "Redis CPU per message <= 0.2x",
      case: name,
      subject: parlorNodes.name,
      peer: socketIoNodes.name,
      figure: ratioOf("redisMicrosPerMessage"),
      atMost: 0.2,
    },
  ],
};
