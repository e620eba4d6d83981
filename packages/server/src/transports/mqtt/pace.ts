import { protocolError } from "./breach.ts";
import { ReasonCode } from "./reason-codes.ts";

/** PINGREQ, SUBSCRIBE and UNSUBSCRIBE of one connection in a second: many times what any client needs. */
const controlsPerSecond = 500;

/** Keeps one connection from taking more than its part of a node. What it publishes has limits of its own. */
export class Pace {
  #second = 0;
  #controls = 0;

  /** A packet that is not a publication, at this time (milliseconds). @throws Breach */
  control(now: number): void {
    const second = Math.floor(now / 1000);
    this.#controls = second === this.#second ? this.#controls + 1 : 1;
    this.#second = second;
    if (this.#controls > controlsPerSecond) throw protocolError("Too many packets; wait a moment.", ReasonCode.MESSAGE_RATE_TOO_HIGH);
  }
}
