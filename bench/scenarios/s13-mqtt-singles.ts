import { mosquitto } from "../subjects/mosquitto.ts";
import { parlorMqtt } from "../subjects/parlor.ts";
import { aedes } from "../subjects/peers.ts";
import { burstsCase } from "./bursts-case.ts";
import { ratioOf, type Scenario } from "./scenario.ts";

const name = "500 subscribers at QoS 0, 1 in flight";

export const s13: Scenario = {
  id: "S13",
  title: "MQTT fan-out, one at a time",
  cases: [burstsCase({ name, listeners: 500, inFlight: 1, subjects: [parlorMqtt, mosquitto, aedes] })],
  targets: [
    {
      text: "CPU per delivery <= 1.0x Mosquitto",
      case: name,
      subject: parlorMqtt.name,
      peer: mosquitto.name,
      figure: ratioOf("cpuMicrosPerDelivery"),
      atMost: 1,
    },
  ],
};
