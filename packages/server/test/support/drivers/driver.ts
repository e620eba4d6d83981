import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Event, Gap, Goodbye_Reason, Presence, Presence_Status, SendMessageResponse, User, Welcome } from "@parlor/contract";
import type { Inbox } from "../inbox.ts";

/** A place in a room's log. */
export interface Cursor {
  readonly roomId: string;
  readonly seq: number;
}

/** How a stream ended: with the server's goodbye, if there was one. */
export interface Ending {
  readonly reason: Goodbye_Reason | undefined;
  /** When the server wants to see the client again (milliseconds from then); undefined when it did not say. */
  readonly afterMs: number | undefined;
}

/** An open stream of one person. */
export interface Live {
  readonly welcome: Welcome;
  /** Everything that came over the stream. */
  readonly inbox: Inbox<Event>;
  /** What it was told will not come, by the welcome or later. */
  readonly gaps: Inbox<Gap>;
  readonly ended: Promise<Ending>;
  /** @throws ParlorError, as all of these */
  send(roomId: string, text: string, clientMessageId: string): Promise<SendMessageResponse>;
  markRead(roomId: string, seq: number): Promise<number>;
  setPresence(status: Presence_Status): Promise<Presence>;
  typing(roomId: string): void;
  close(): void;
}

/** Someone signed in, over one set of protocols. */
export interface Person {
  readonly user: User;
  readonly token: string;
  /** Any unary method. @throws ParlorError */
  call<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): Promise<MessageShape<M["output"]>>;
  /** Opens a stream. @throws ParlorError with which the hello was refused */
  connect(resume?: readonly Cursor[]): Promise<Live>;
  close(): void;
}

/** A way to speak to a server: what a scenario is run over. */
export interface Driver {
  readonly name: string;
  signUp(username: string): Promise<Person>;
  logIn(username: string): Promise<Person>;
  /** Somebody who has a token already, such as an API token; or nobody, with none. */
  withToken(token: string, user: User): Person;
}
