import type { DescEnum, DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import { Access_Limit, Access_Scope, Access_Who, accessOf } from "@parlor/contract";
import { commentOf, shortName } from "./contract.ts";

/** A name of the contract as words: `SendMessage`, `send_message` -> "send message". */
export function words(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replaceAll("_", " ")
    .toLowerCase();
}

/** The name of a method or message as a heading: "Send message". */
export function title({ name }: { readonly name: string }): string {
  const text = words(name);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "Messages" for MessagesService. */
export const serviceName = (method: Pick<DescMethod, "parent">): string => method.parent.name.replace(/Service$/, "");

/** What a method does, without the list of its refusals. */
export function describeMethod(method: DescMethod): string {
  return commentOf(method)
    .split("\n\n")
    .filter((paragraph) => !paragraph.startsWith("Refusals: "))
    .join("\n\n");
}

export function describeMessage(message: DescMessage): string {
  const [, method, side] = /^(\w+)(Request|Response)$/.exec(message.name) ?? [];
  return commentOf(message) || (side === "Request" ? `What ${method} is asked.` : `What ${method} answers.`);
}

/** A field's comment; the names of ids say enough by themselves. */
export function describeField(field: DescField): string {
  return (
    commentOf(field) ||
    `The ${words(field.name)
      .replace(/ (ids?)$/, "'s $1")
      .replace("user's ids", "users' ids")}.`
  );
}

export function describeEnum(desc: DescEnum): string {
  const values = desc.values.map((value) => `- \`${value.name}\`: ${commentOf(value) || "Not said."}`);
  return `${commentOf(desc) || shortName(desc)}\n\n${values.join("\n")}`;
}

const who: Record<Access_Who, string> = {
  [Access_Who.WHO_UNSPECIFIED]: "nobody",
  [Access_Who.ANYONE]: "anyone, signed in or not",
  [Access_Who.GUEST]: "anyone signed in",
  [Access_Who.USER]: "users, moderators and administrators",
  [Access_Who.MODERATOR]: "moderators and administrators",
  [Access_Who.ADMIN]: "administrators",
  [Access_Who.SERVICE]: "other parts of the server",
};

const limits: Record<Access_Limit, string> = {
  [Access_Limit.LIMIT_UNSPECIFIED]: "50 calls a second, bursts of 100",
  [Access_Limit.SEND]: "5 sends a second, bursts of 20",
  [Access_Limit.SIGN_UP]: "3 a minute per address",
  [Access_Limit.LOG_IN]: "10 failures in 15 minutes per account and address",
};

/** Who may call a method, as people read it. */
export function describeAccess(method: DescMethod): {
  readonly who: string;
  readonly token: string;
  readonly limit: string;
  readonly repeat: string;
} {
  const access = accessOf(method);
  return {
    who: who[access.who],
    token: describeScope(access.who, access.scope),
    limit: limits[access.limit],
    repeat: access.idempotent ? "safe: the same request again changes nothing more" : "not safe",
  };
}

function describeScope(least: Access_Who, scope: Access_Scope): string {
  if (least === Access_Who.ANYONE) return "none needed";
  if (scope === Access_Scope.SESSION_ONLY) return "of a session; API tokens may not";
  return scope === Access_Scope.ANY
    ? "of a session, or any API token"
    : `of a session, or an API token with the scope ${Access_Scope[scope]}`;
}
