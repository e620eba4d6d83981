import type { TraceParent, Tracing } from "../ports/tracing.ts";

/** Links of one span at most; OpenTelemetry leaves out what is above. */
const mostLinks = 127;

/** Carries out a transaction in a span of the first call that waits for it, with links to the others. */
export function traceCommit<T>(
  tracing: Tracing,
  batch: readonly { readonly from: TraceParent | undefined }[],
  work: () => Promise<T>,
): Promise<T> {
  const [from, ...others] = batch.map((each) => each.from).filter((each) => each !== undefined);
  if (from === undefined) return work();
  const attributes = { "parlor.batch_size": batch.length };
  return tracing.span("commit", { from, alsoFor: others.slice(0, mostLinks), attributes }, work);
}
