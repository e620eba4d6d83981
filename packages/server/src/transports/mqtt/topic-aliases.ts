import type { IPublishPacket } from "mqtt-packet";
import { malformedPacket, protocolError } from "./breach.ts";
import { ReasonCode } from "./reason-codes.ts";

/** Numbers that a client may give to topics (MQTT 5, section 3.3.2.3.4). */
export const topicAliasMaximum = 16;

/** The topics to which a client has given numbers, for as long as it is connected. */
export class TopicAliases {
  readonly #topics = new Map<number, string>();

  /** The topic of a PUBLISH. @throws Breach */
  topicOf({ topic, properties }: IPublishPacket): string {
    const alias = properties?.topicAlias;
    // Section 4.7.3: a topic has at least one character; section 3.3.2.1: and no wildcards.
    if (/[+#]/.test(topic)) throw protocolError("A topic name must not hold wildcards.", ReasonCode.TOPIC_NAME_INVALID);
    if (alias === undefined) return topic === "" ? fail() : topic;
    if (alias < 1 || alias > topicAliasMaximum)
      throw protocolError(`Topic aliases are 1 to ${topicAliasMaximum}.`, ReasonCode.TOPIC_ALIAS_INVALID);
    const known = topic === "" ? this.#topics.get(alias) : topic;
    if (known === undefined) throw protocolError("This topic alias has no topic.");
    this.#topics.set(alias, known);
    return known;
  }
}

function fail(): never {
  throw malformedPacket("The topic name is empty.");
}
