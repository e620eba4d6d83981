import { mosquitto } from "../subjects/mosquitto.ts";
import { parlorMqtt } from "../subjects/parlor.ts";
import { aedes } from "../subjects/peers.ts";
import { idleCase } from "./idle-case.ts";
import { ratioOf, type Scenario } from "./scenario.ts";

const name = "10,000 idle MQTT connections";

export const s14: Scenario = {
  id: "S14",
  title: "Idle MQTT connections",
  cases: [idleCase(name, [parlorMqtt, aedes, mosquitto])],
  targets: [
    {
      text: "RSS per connection <= 0.4x aedes",
      case: name,
      subject: parlorMqtt.name,
      peer: aedes.name,
      figure: ratioOf("kibPerConnection"),
      atMost: 0.4,
    },
  ],
};
