import { newId } from "../domain/ids.ts";

/** The id of a request: the client's, when it is fit to be logged and sent back, or a new one. */
export function requestIdOf(given: unknown): string {
  return typeof given === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : newId();
}
