import type { Reader } from "../link.ts";
import { MarkerCounter } from "../marker-counter.ts";
import type { Door, Heard, Protocol } from "../protocol.ts";

/** A connection whose payload can be counted. */
export interface Stream {
  read(payload: Reader): void;
  write(bytes: Buffer): void;
  close(): void;
}

/** A reader that counts the messages in a stream of payload. */
export function counting(heard: Heard): Reader {
  const counter = new MarkerCounter();
  return (bytes, start, end) => {
    const messages = counter.scan(bytes, start, end);
    if (messages > 0) heard(messages);
  };
}

/** One message's bytes, so many times. */
export function repeated(message: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => message));
}

/**
 * A protocol in which every message is the same bytes and nothing is acknowledged: all there is to say is how a member gets
 * into the room under a name.
 */
export function countingProtocol(join: (door: Door, name: string) => Promise<Stream>, message: Buffer): Protocol {
  return {
    async listen(door, member, heard) {
      const stream = await join(door, `listener-${member}`);
      stream.read(counting(heard));
      return stream;
    },

    async publish(door) {
      const stream = await join(door, "publisher");
      let confirmed = 0;
      stream.read(counting((messages) => (confirmed += messages)));
      return {
        send: (messages) => stream.write(repeated(message, messages)),
        get confirmed() {
          return confirmed;
        },
        close: () => stream.close(),
      };
    },
  };
}
