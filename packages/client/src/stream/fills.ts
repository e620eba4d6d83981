import { Fill, type LogReader } from "./fill.ts";

/** Logs that are read at once: enough to be quick, too few to use up what the server lets one caller do. */
const AT_ONCE = 4;

/** The rooms that one connection does not bring as they are: each is read from its log, a few at a time. */
export class Fills {
  readonly #failed: (roomId: string, error: unknown) => void;
  readonly #byRoom = new Map<string, Fill>();
  readonly #waiting: (readonly [roomId: string, fill: Fill])[] = [];
  #running = 0;

  /** @param failed the log of a room could not be read */
  constructor(failed: (roomId: string, error: unknown) => void) {
    this.#failed = failed;
  }

  get(roomId: string): Fill | undefined {
    return this.#byRoom.get(roomId);
  }

  start(roomId: string, target: number, log: LogReader): void {
    const fill = new Fill(log, target);
    this.#byRoom.set(roomId, fill);
    this.#waiting.push([roomId, fill]);
    this.#next();
  }

  /** The room goes its own way again. */
  end(roomId: string): void {
    this.#byRoom.get(roomId)?.stop();
    this.#byRoom.delete(roomId);
  }

  endAll(): void {
    for (const roomId of [...this.#byRoom.keys()]) this.end(roomId);
  }

  #next(): void {
    while (this.#running < AT_ONCE) {
      const first = this.#waiting.shift();
      if (first === undefined) return;
      const [roomId, fill] = first;
      if (!fill.stopped) void this.#run(roomId, fill);
    }
  }

  async #run(roomId: string, fill: Fill): Promise<void> {
    this.#running += 1;
    try {
      await fill.run();
    } catch (error) {
      if (!fill.stopped) this.#failed(roomId, error);
    }
    this.#running -= 1;
    this.#next();
  }
}
