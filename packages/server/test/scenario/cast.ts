// The people of a scenario: what they do is noted, and so is what they hear.
import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Event, EventSchema, ParlorError, SendMessageResponseSchema, type User, type Welcome, WelcomeSchema } from "@parlor/contract";
import type { Cursor, Live, Person } from "../support/drivers/driver.ts";
import type { Transcript } from "../support/transcript.ts";

export class Player {
  readonly name: string;
  readonly user: User;
  readonly person: Person;
  readonly #transcript: Transcript;
  #live: Live | undefined;
  #connections = 0;

  constructor(name: string, person: Person, transcript: Transcript) {
    this.name = name;
    this.person = person;
    this.user = person.user;
    this.#transcript = transcript;
  }

  get id(): string {
    return this.user.id;
  }

  get live(): Live {
    if (!this.#live) throw new Error(`${this.name} is not connected`);
    return this.#live;
  }

  /** Calls a method and notes its answer. */
  async does<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): Promise<MessageShape<M["output"]>> {
    const answer = await this.person.call(method, request);
    this.#transcript.message(`${this.name} ${method.name}`, method.output, answer as never);
    return answer;
  }

  /** Calls a method that must be refused, and notes how. */
  async isRefused<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): Promise<ParlorError> {
    return this.refusedWhen(method.name, () => this.person.call(method, request));
  }

  async refusedWhen(what: string, act: () => Promise<unknown>): Promise<ParlorError> {
    const error = await act().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof ParlorError)) throw error ?? new Error(`${this.name} ${what} was not refused`);
    this.#transcript.refusal(`${this.name} ${what}`, error);
    return error;
  }

  async connects(resume: readonly Cursor[] = []): Promise<Welcome> {
    this.#live = await this.person.connect(resume);
    this.#connections++;
    this.#transcript.message(`${this.name} is welcome`, WelcomeSchema, plain(this.#live.welcome));
    return this.#live.welcome;
  }

  /** Sends over the stream. */
  async says(roomId: string, text: string, key: string): Promise<MessageShape<typeof SendMessageResponseSchema>> {
    const answer = await this.live.send(roomId, text, key);
    this.#transcript.message(`${this.name} says`, SendMessageResponseSchema, answer);
    return answer;
  }

  /** Waits for the first event of a kind that is not in a room's log, and notes it. */
  async hears(kind: Event["kind"]["case"], roomId = ""): Promise<Event> {
    const event = await this.live.inbox.find((item) => item.kind.case === kind && item.roomId === roomId);
    this.#transcript.message(`${this.name} hears`, EventSchema, event);
    return event;
  }

  /** Waits until a room's log has come up to a `seq`. */
  async follows(roomId: string, seq: number): Promise<void> {
    await this.live.inbox.find((event) => event.roomId === roomId && event.seq >= seq);
  }

  /** Notes every durable event of a room that came over this connection, in the order of its coming. */
  noteLog(roomId: string): void {
    const events = this.live.inbox.items.filter((event) => event.roomId === roomId && event.seq > 0);
    for (const event of events) this.#transcript.message(`${this.name} (connection ${this.#connections})`, EventSchema, event);
  }
}

/** The welcome without what is by chance another one in every run. */
function plain(welcome: Welcome): Welcome {
  return { ...welcome, connectionId: "", sessionId: "", rooms: [...welcome.rooms].sort((a, b) => (a.roomId < b.roomId ? -1 : 1)) };
}
