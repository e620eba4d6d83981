import { counting } from "./clients/counting.ts";
import { enter, jsonWay, ParlorPublisher } from "./clients/parlor.ts";
import { observed } from "./load.ts";
import type { IngestDoor, IngestOrder, IngestReport, JoinIngestOrder } from "./orders.ts";

/** How long the last deliveries may take after the last acknowledgement (milliseconds). */
const SETTLE_LIMIT = 30_000;
const JOINING = 20;

/** Many rooms with a few listeners each, and publishers who write to some of the rooms each. */
export class Ingest {
  readonly #publishers: readonly ParlorPublisher[];
  readonly #door: IngestDoor;
  #heard = 0;

  private constructor(door: IngestDoor, publishers: readonly ParlorPublisher[]) {
    this.#door = door;
    this.#publishers = publishers;
  }

  static async join({ door }: JoinIngestOrder): Promise<Ingest> {
    const enterAs = (token: string) => enter(jsonWay, door.port, token);
    const publishers = await Promise.all(
      door.publishers.map(async ({ token, roomIds }) => new ParlorPublisher(jsonWay, roomIds, await enterAs(token))),
    );
    const ingest = new Ingest(door, publishers);
    const waiting = door.listeners.values();
    const joinOthers = async (): Promise<void> => {
      for (const token of waiting) {
        const stream = await enterAs(token);
        stream.read(counting((messages) => (ingest.#heard += messages)));
      }
    };
    await Promise.all(Array.from({ length: JOINING }, joinOthers));
    return ingest;
  }

  /** Each publisher keeps so many messages unacknowledged, for so many seconds. */
  async run({ inFlight, seconds }: IngestOrder): Promise<IngestReport> {
    const before = this.#sent;
    const report = await observed(this.#door.listenersPerRoom, async () => {
      const end = performance.now() + seconds * 1000;
      await Promise.all(this.#publishers.map((publisher) => keepInFlight(publisher, inFlight, end)));
      return this.#sent - before;
    });
    await this.#settled();
    return { ...report, ackedPerSecond: report.messages / report.seconds };
  }

  get #sent(): number {
    return this.#publishers.reduce((sum, { sent }) => sum + sent, 0);
  }

  /** Every message has come back to its publisher, and to every listener of its room, and nothing else has. */
  async #settled(): Promise<void> {
    const deadline = performance.now() + SETTLE_LIMIT;
    const wanted = this.#sent * this.#door.listenersPerRoom;
    while (this.#heard !== wanted || this.#publishers.some(({ sent, confirmed }) => sent !== confirmed)) {
      if (performance.now() > deadline) throw new Error(`Not all was delivered: ${this.#heard} of ${wanted}.`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function keepInFlight(publisher: ParlorPublisher, inFlight: number, end: number): Promise<void> {
  let open = inFlight;
  return new Promise((resolve) => {
    publisher.onAcknowledged = (messages) => {
      open -= messages;
      if (performance.now() < end) {
        open += messages;
        publisher.send(messages);
      } else if (open === 0) resolve();
    };
    publisher.send(inFlight);
  });
}
