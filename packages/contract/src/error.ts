import { create } from "@bufbuild/protobuf";
import {
  Error_Code as Code,
  type Error_Violation,
  ErrorSchema,
  Error_Reason as Reason,
  type Error as WireError,
} from "./gen/parlor/v1/errors_pb.js";

export { Code, Reason };

/** A field that breaks a rule: its path (`hello.resume[2].seq`) and what it must be ("must be ..."). */
export type Violation = Pick<Error_Violation, "field" | "description">;

export interface ErrorDetails {
  readonly violations?: readonly Violation[];
  /** Milliseconds to wait before the next try. */
  readonly retryAfterMs?: number;
  readonly requestId?: string;
  readonly cause?: unknown;
}

/** A refusal: the one error class of server, client and command line. Its message is for people and holds no secret. */
export class ParlorError extends Error {
  override readonly name = "ParlorError";
  readonly code: Code;
  readonly reason: Reason;
  readonly violations: readonly Violation[];
  readonly retryAfterMs: number | undefined;
  readonly requestId: string;

  constructor(code: Code, reason: Reason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.reason = reason;
    this.violations = details.violations ?? [];
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId ?? "";
  }

  /** The error as the contract's message, with the id of the request that it answers. */
  toWire(requestId: string = this.requestId): WireError {
    return create(ErrorSchema, {
      code: this.code,
      reason: this.reason,
      message: this.message,
      violations: this.violations.map(({ field, description }) => ({ field, description })),
      requestId,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: Math.min(Math.ceil(this.retryAfterMs), 0xffffffff) }),
    });
  }

  static fromWire(wire: WireError): ParlorError {
    return new ParlorError(wire.code, wire.reason, wire.message, {
      violations: wire.violations,
      requestId: wire.requestId,
      ...(wire.retryAfterMs === undefined ? {} : { retryAfterMs: wire.retryAfterMs }),
    });
  }
}

/** More than this many wrong fields are a flood rather than a mistake, and would make the answer larger than the request. */
const MAX_VIOLATIONS = 100;
const MAX_IN_MESSAGE = 10;

/** INVALID_ARGUMENT that names every violated field; beyond 100 of them, the last says how many more there are. */
export function invalidFields(...all: readonly Violation[]): ParlorError {
  const more = all.length - MAX_VIOLATIONS;
  const violations = more > 0 ? [...all.slice(0, MAX_VIOLATIONS), { field: "", description: `and ${more} more` }] : all;
  const named = violations.slice(0, MAX_IN_MESSAGE).map(({ field, description }) => `${field} ${description}`);
  if (violations.length > MAX_IN_MESSAGE) named.push(`and ${all.length - MAX_IN_MESSAGE} more`);
  return new ParlorError(Code.INVALID_ARGUMENT, Reason.INVALID_FIELDS, named.join("; "), { violations });
}
