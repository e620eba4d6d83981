import { encodeJson, type Gap, GapSchema } from "@parlor/contract";
import { type Audience, encodePacket } from "./answers.ts";
import { topics } from "./topics.ts";

/** What tells a client of gaps; nothing for one that has not asked. */
export function gapPackets(gaps: readonly Gap[], audience: Audience): Buffer[] {
  if (gaps.length === 0 || !audience.subscriptions.ofTopic(topics.gaps)) return [];
  const head = { cmd: "publish", qos: 0, dup: false, retain: false, topic: topics.gaps } as const;
  const properties = { payloadFormatIndicator: true, contentType: "application/json" };
  return gaps.map((gap) => encodePacket({ ...head, payload: encodeJson(GapSchema, gap), properties }, audience));
}
