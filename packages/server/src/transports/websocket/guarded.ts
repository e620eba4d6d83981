import { WebSocket } from "ws";

/** A WebSocket that tells of a breach of the protocol before its close frame is written, so that a goodbye can go first. */
export class GuardedWebSocket extends WebSocket {
  /** Called once with the close code that fits the breach. Whoever sets it closes the connection. */
  onBreach: ((code: number) => void) | undefined;

  override close(code?: number, reason?: string | Buffer): void {
    // ws gives a code without a reason only when its receiver fails; the echo of a client's close frame has a reason.
    const breach = code !== undefined && reason === undefined && this.readyState === WebSocket.OPEN ? this.onBreach : undefined;
    this.onBreach = undefined;
    if (breach === undefined) super.close(code, reason);
    else breach(code as number);
  }
}
