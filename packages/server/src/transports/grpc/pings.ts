import type { Http2Session } from "node:http2";

const waiting = new WeakMap<Http2Session, Set<() => void>>();

/** Pings the other end of a connection; streams that ask while an answer is awaited share it. */
export function pingSession(session: Http2Session, onAnswer: () => void): void {
  if (session.destroyed || session.closed) return;
  const known = waiting.get(session);
  if (known !== undefined) return void known.add(onAnswer);
  const asking = new Set([onAnswer]);
  waiting.set(session, asking);
  session.ping((error) => {
    waiting.delete(session);
    if (error === null) for (const tell of asking) tell();
  });
}
