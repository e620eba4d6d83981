import assert from "node:assert/strict";
import { ParlorError, Reason } from "@parlor/contract";

/** The refusal with which a call must end. */
export async function refused(answer: Promise<unknown>, reason: Reason): Promise<ParlorError> {
  const error = await answer.then(
    () => assert.fail(`it was accepted, not refused as ${Reason[reason]}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ParlorError)) throw error;
  assert.equal(Reason[error.reason], Reason[reason]);
  return error;
}
