import { mosquitto, mosquittoQos1 } from "../subjects/mosquitto.ts";
import { parlorMqtt, parlorMqttQos1 } from "../subjects/parlor.ts";
import { aedes, aedesQos1 } from "../subjects/peers.ts";
import type { Subject } from "../subjects/subject.ts";
import { burstsCase } from "./bursts-case.ts";
import { ratioOf, type Scenario, type Target } from "./scenario.ts";

const atMostOnce = "500 subscribers at QoS 0, 20 in flight";
const atLeastOnce = "500 subscribers at QoS 1, 20 in flight";
const load = { listeners: 500, inFlight: 20 };

export const s12: Scenario = {
  id: "S12",
  title: "MQTT fan-out, bursts",
  cases: [
    burstsCase({ ...load, name: atMostOnce, subjects: [parlorMqtt, mosquitto, aedes] }),
    burstsCase({ ...load, name: atLeastOnce, subjects: [parlorMqttQos1, mosquittoQos1, aedesQos1] }),
  ],
  targets: [
    tenTimes(atMostOnce, parlorMqtt, mosquitto),
    tenTimes(atMostOnce, parlorMqtt, aedes),
    tenTimes(atLeastOnce, parlorMqttQos1, mosquittoQos1),
    tenTimes(atLeastOnce, parlorMqttQos1, aedesQos1),
  ],
};

function tenTimes(name: string, subject: Subject, peer: Subject): Target {
  return {
    text: `deliveries/s >= 10x ${peer.name}`,
    case: name,
    subject: subject.name,
    peer: peer.name,
    figure: ratioOf("deliveriesPerSecond"),
    atLeast: 10,
  };
}
