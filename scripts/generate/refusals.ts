import type { DescMethod } from "@bufbuild/protobuf";
import { Access_Scope, Access_Who, accessOf, Code, codeOf, httpRuleOf, Reason } from "@parlor/contract";
import { type Contract, commentOf } from "./contract.ts";

/** One way in which a call may be refused. */
export interface Refusal {
  readonly reason: string;
  readonly code: string;
  /** Of HTTP. */
  readonly status: number;
  readonly comment: string;
}

const ownStatus: ReadonlyMap<Reason, number> = new Map([
  [Reason.TOO_LARGE, 413],
  [Reason.UNSUPPORTED_MEDIA_TYPE, 415],
]);

/** Every reason of the contract. */
export function allRefusals(contract: Contract): readonly Refusal[] {
  const reasons = enumOf(contract, "Error.Reason").values.filter(({ number }) => number !== 0);
  return reasons.map((value) => {
    const code = codeOf(value.number);
    const status = ownStatus.get(value.number) ?? statusOf(contract, code);
    return { reason: value.name, code: Code[code], status, comment: commentOf(value) };
  });
}

/** The HTTP status that the comment of a code names. */
function statusOf(contract: Contract, code: Code): number {
  const value = enumOf(contract, "Error.Code").values.find(({ number }) => number === code);
  const status = value === undefined ? undefined : /HTTP (\d{3})/.exec(commentOf(value))?.[1];
  if (status === undefined) throw new Error(`The comment of ${Code[code]} names no HTTP status`);
  return Number(status);
}

function enumOf({ enums }: Contract, name: string): Contract["enums"][number] {
  const found = enums.find(({ typeName }) => typeName === `parlor.v1.${name}`);
  if (found === undefined) throw new Error(`The contract has no enum ${name}`);
  return found;
}

/** How a method may be refused: for what its comment names, and for what follows from its access and its fields. */
export function refusalsOf(method: DescMethod, all: readonly Refusal[]): readonly Refusal[] {
  const names = new Set<string>([...named(method), ...general(method).map((reason) => Reason[reason])]);
  const unknown = [...names].find((name) => !all.some(({ reason }) => reason === name));
  if (unknown !== undefined) throw new Error(`${method}: its comment names the refusal ${unknown}, which Error.Reason does not have`);
  return all.filter(({ reason }) => names.has(reason));
}

/** The reasons that a method's comment lists after "Refusals:". */
export function named(method: DescMethod): readonly string[] {
  const list = commentOf(method)
    .split("\n\n")
    .find((paragraph) => paragraph.startsWith("Refusals: "));
  return list?.match(/\b[A-Z]{2}[A-Z_]*\b/g) ?? [];
}

function general(method: DescMethod): readonly Reason[] {
  const { who, scope } = accessOf(method);
  return [
    Reason.MALFORMED,
    Reason.INVALID_FIELDS,
    ...(method.input.field["pageToken"] === undefined ? [] : [Reason.PAGE_TOKEN_INVALID]),
    ...(httpRuleOf(method)?.hasBody ? [Reason.TOO_LARGE, Reason.UNSUPPORTED_MEDIA_TYPE] : []),
    ...(who === Access_Who.ANYONE ? [] : [Reason.TOKEN_MISSING, Reason.TOKEN_INVALID, Reason.TOKEN_EXPIRED, Reason.SESSION_REVOKED]),
    ...(who > Access_Who.GUEST ? [Reason.ROLE_TOO_LOW] : []),
    ...(scope === Access_Scope.ANY ? [] : [Reason.SCOPE_MISSING]),
    ...[
      Reason.RATE_LIMITED,
      Reason.OVERLOADED,
      Reason.SHUTTING_DOWN,
      Reason.STORE_UNAVAILABLE,
      Reason.SERVICE_UNAVAILABLE,
      Reason.FAULT,
      Reason.TIMEOUT,
    ],
  ];
}
