import { parlorGrpc } from "../subjects/parlor.ts";
import { grpc } from "../subjects/peers.ts";
import { burstsCase } from "./bursts-case.ts";
import { ratioOf, type Scenario } from "./scenario.ts";

const name = "200 members on a connection each, 20 in flight";

export const s9: Scenario = {
  id: "S9",
  title: "gRPC stream, bursts",
  cases: [burstsCase({ name, listeners: 200, inFlight: 20, subjects: [parlorGrpc, grpc] })],
  targets: [
    {
      text: "CPU per delivery <= 0.2x grpc-js with one write per message",
      case: name,
      subject: parlorGrpc.name,
      peer: grpc.name,
      figure: ratioOf("cpuMicrosPerDelivery"),
      atMost: 0.2,
    },
  ],
};
