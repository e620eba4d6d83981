import assert from "node:assert/strict";
import { DatabaseError, type DatabaseErrorKind } from "../../src/ports/database.ts";

/** Asserts that a call fails with a DatabaseError of this kind. */
export async function assertFails(call: Promise<unknown>, kind: DatabaseErrorKind, message = /./): Promise<DatabaseError> {
  let caught: unknown;
  await assert.rejects(call, (error) => {
    caught = error;
    return true;
  });
  assert.ok(caught instanceof DatabaseError, `not a DatabaseError: ${caught}`);
  assert.equal(caught.kind, kind, caught.message);
  assert.match(caught.message, message);
  return caught;
}
