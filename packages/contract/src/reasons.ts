import { Code, Reason } from "./error.ts";

/** The first number of each group of reasons, and its code: see the comment of `Error.Reason` in the contract. */
const groups: readonly (readonly [first: number, code: Code])[] = [
  [140, Code.UNAVAILABLE],
  [120, Code.RESOURCE_EXHAUSTED],
  [100, Code.FAILED_PRECONDITION],
  [80, Code.ALREADY_EXISTS],
  [60, Code.NOT_FOUND],
  [40, Code.PERMISSION_DENIED],
  [20, Code.UNAUTHENTICATED],
  [1, Code.INVALID_ARGUMENT],
];

const exceptions: ReadonlyMap<Reason, Code> = new Map([
  [Reason.TOO_LARGE, Code.RESOURCE_EXHAUSTED],
  [Reason.SEQ_IN_FUTURE, Code.OUT_OF_RANGE],
  [Reason.NO_SUCH_METHOD, Code.UNIMPLEMENTED],
  [Reason.FAULT, Code.INTERNAL],
  [Reason.TIMEOUT, Code.DEADLINE_EXCEEDED],
]);

/** The code under which a reason is given, the same everywhere. */
export function codeOf(reason: Reason): Code {
  return exceptions.get(reason) ?? groups.find(([first]) => reason >= first)?.[1] ?? Code.UNKNOWN;
}
