// A request for any method, made from its description: what its fields are called says what goes into them.
import { create, type DescField, type DescMethod, type Message, ScalarType } from "@bufbuild/protobuf";
import { rulesOf } from "@parlor/contract";

/** What stands for the ids in requests. */
export interface Ids {
  readonly roomId: string;
  readonly userId: string;
  readonly messageId: string;
}

const nowhere = "01900000-0000-7000-8000-000000000000";
const texts: Readonly<Record<string, string>> = { emoji: "👍", text: "text", query: "nobody", name: "name" };

/** A request that keeps the contract's rules where a method is about a room, and that anyhow can be sent over REST. */
export function requestFor(method: DescMethod, ids: Partial<Ids> = {}): Message {
  const request = create(method.input) as Message & Record<string, unknown>;
  for (const field of method.input.fields) {
    const value = valueFor(field, ids);
    if (value !== undefined) request[field.localName] = value;
  }
  return request;
}

function valueFor(field: DescField, ids: Partial<Ids>): unknown {
  if (field.fieldKind !== "scalar" || field.scalar !== ScalarType.STRING || !rulesOf(field)?.required) return undefined;
  const { localName } = field;
  if (localName in ids) return ids[localName as keyof Ids];
  if (localName.endsWith("Id")) return nowhere;
  return texts[localName];
}
