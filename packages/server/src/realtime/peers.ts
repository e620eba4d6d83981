import { newId } from "../domain/ids.ts";
import type { Bus } from "../ports/bus.ts";
import { publishWord, subscribeWords } from "../ports/words.ts";
import { isLetter, type Letter, type PersonThere, type Word } from "./letters.ts";
import type { TurnQueue, TurnTask } from "./turn-queue.ts";

export interface PeerHandlers {
  /** A node told of people; `whole` when these are all of its people. */
  told(nodeId: string, people: readonly PersonThere[], whole: boolean): void;
  /** A node stopped, or was not heard of since a time (milliseconds since 1970). */
  lost(nodeId: string, heardAt: number): void;
  /** Everybody who is connected to this node, without rooms. */
  here(): readonly PersonThere[];
}

interface Peer {
  /** Undefined until it told of all its people. */
  n: number | undefined;
  heardAt: number;
  askedAt: number;
}

const topic = "presence";
/** Other nodes, at most. */
const mostPeers = 1000;
const beatMs = 3000;
/** A node that was not heard of for so long is taken for dead (milliseconds). */
const silenceMs = 15_000;
/** A node is asked again, and answers again, after this time (milliseconds). */
const askMs = 1000;
const answerMs = 50;

/**
 * The other nodes, and what they tell of the people who are connected to them. Each tells its changes, all of a turn of the event
 * loop together; whoever starts, or has missed something, asks for the whole.
 */
export class Peers implements TurnTask {
  readonly id = newId();
  readonly #bus: Bus;
  readonly #queue: TurnQueue;
  readonly #now: () => number;
  readonly #handlers: PeerHandlers;
  readonly #peers = new Map<string, Peer>();
  readonly #changes = new Map<string, PersonThere>();
  #n = 0;
  #beatAt = 0;
  #answering: NodeJS.Timeout | undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(bus: Bus, queue: TurnQueue, now: () => number, handlers: PeerHandlers) {
    this.#bus = bus;
    this.#queue = queue;
    this.#now = now;
    this.#handlers = handlers;
  }

  /** Whether this is the first among the nodes that it knows: the one that does what one has to do for all. */
  get isFirst(): boolean {
    for (const id of this.#peers.keys()) if (id < this.id) return false;
    return true;
  }

  start(): void {
    const afterGap = (): void => {
      this.#say({ kind: "ask" });
      this.#answer();
    };
    this.#unsubscribe = subscribeWords(this.#bus, topic, isLetter, (letter) => this.#hear(letter), afterGap);
    this.#say({ kind: "ask" });
  }

  stop(): void {
    this.run();
    clearTimeout(this.#answering);
    this.#say({ kind: "bye" });
    this.#unsubscribe();
  }

  /** Tells the others, at the end of this turn of the event loop. */
  tell(person: PersonThere): void {
    const rooms = person.rooms ?? this.#changes.get(person.userId)?.rooms;
    this.#changes.set(person.userId, rooms ? { ...person, rooms } : person);
    this.#queue.add(this);
  }

  run(): boolean {
    if (this.#changes.size === 0) return true;
    this.#n++;
    this.#say({ kind: "changes", people: [...this.#changes.values()] });
    this.#changes.clear();
    return true;
  }

  /** To be called every second or so. */
  sweep(): void {
    const now = this.#now();
    if (now - this.#beatAt >= beatMs) {
      this.#beatAt = now;
      this.#say({ kind: "beat" });
    }
    for (const [id, peer] of this.#peers) if (now - peer.heardAt > silenceMs) this.#lose(id, peer.heardAt);
  }

  #say(word: Word): void {
    const letter: Letter = { from: this.id, n: this.#n, word };
    publishWord(this.#bus, topic, letter);
  }

  #hear({ from, n, word }: Letter): void {
    if (word.kind === "bye") {
      this.#lose(from, this.#now());
      return;
    }
    const peer = this.#peers.get(from) ?? { n: undefined, heardAt: 0, askedAt: 0 };
    if (from === this.id || (peer.heardAt === 0 && this.#peers.size >= mostPeers)) return;
    this.#peers.set(from, peer);
    peer.heardAt = this.#now();
    if (word.kind === "ask" && (word.of === undefined || word.of === this.id)) this.#answer();
    const isNext = word.kind === "all" || peer.n === (word.kind === "changes" ? n - 1 : n);
    // Changes are good by themselves, even if others before them were lost.
    if (word.kind === "changes" || word.kind === "all") this.#handlers.told(from, word.people, word.kind === "all");
    if (isNext) peer.n = n;
    else this.#ask(from, peer);
  }

  #ask(of: string, peer: Peer): void {
    peer.n = undefined;
    if (peer.heardAt - peer.askedAt < askMs) return;
    peer.askedAt = peer.heardAt;
    this.#say({ kind: "ask", of });
  }

  /** One answer is for all who asked. */
  #answer(): void {
    this.#answering ??= setTimeout(() => {
      this.#answering = undefined;
      this.run();
      this.#say({ kind: "all", people: this.#handlers.here() });
    }, answerMs).unref();
  }

  #lose(id: string, heardAt: number): void {
    if (this.#peers.delete(id)) this.#handlers.lost(id, heardAt);
  }
}
