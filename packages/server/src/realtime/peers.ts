import type { Check } from "../domain/checks.ts";
import { newId } from "../domain/ids.ts";
import type { Bus } from "../ports/bus.ts";
import { publishWord, subscribeWords } from "../ports/words.ts";
import { type Letter, letterOf, type Word } from "./letters.ts";
import type { TurnQueue, TurnTask } from "./turn-queue.ts";

/** What the nodes tell each other of. */
export interface Subject<T> {
  /** Of the bus; the nodes that hear of it are the peers. */
  readonly topic: string;
  readonly isEntry: Check<T>;
  /** Of two entries with the same key, the later is told alone. */
  keyOf(entry: T): string;
  /** A node told of some; `whole` when these are all that it has. */
  told(nodeId: string, entries: readonly T[], whole: boolean): void;
  /** A node stopped, or was not heard of since a time (milliseconds since 1970). */
  lost(nodeId: string, heardAt: number): void;
  /** All that this node has. */
  here(): readonly T[];
}

interface Peer {
  /** Undefined until it told of all that it has. */
  n: number | undefined;
  heardAt: number;
  askedAt: number;
}

/** Other nodes, at most. */
const mostPeers = 1000;
const beatMs = 3000;
/** A node that was not heard of for so long is taken for dead (milliseconds). */
const silenceMs = 15_000;
/** A node is asked again, and answers again, after this time (milliseconds). */
const askMs = 1000;
const answerMs = 50;

/**
 * The other nodes, and what they tell of a subject, such as the people who are connected to them. Each tells its changes, all of a turn of the event
 * loop together; whoever starts, or has missed something, asks for the whole.
 */
export class Peers<T> implements TurnTask {
  readonly id = newId();
  readonly #bus: Bus;
  readonly #queue: TurnQueue;
  readonly #now: () => number;
  readonly #subject: Subject<T>;
  readonly #peers = new Map<string, Peer>();
  readonly #changes = new Map<string, T>();
  #n = 0;
  #beatAt = 0;
  #answering: NodeJS.Timeout | undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(bus: Bus, queue: TurnQueue, now: () => number, subject: Subject<T>) {
    this.#bus = bus;
    this.#queue = queue;
    this.#now = now;
    this.#subject = subject;
  }

  /** Whether this is the first among the nodes that it knows: the one that does what one has to do for all. */
  get isFirst(): boolean {
    for (const id of this.#peers.keys()) if (id < this.id) return false;
    return true;
  }

  start(): void {
    const { topic, isEntry } = this.#subject;
    const afterGap = (): void => {
      this.#say({ kind: "ask" });
      this.#answer();
    };
    this.#unsubscribe = subscribeWords(this.#bus, topic, letterOf(isEntry), (letter) => this.#hear(letter), afterGap);
    this.#say({ kind: "ask" });
  }

  stop(): void {
    this.run();
    clearTimeout(this.#answering);
    this.#say({ kind: "bye" });
    this.#unsubscribe();
  }

  /** Tells the others, at the end of this turn of the event loop. */
  tell(entry: T): void {
    this.#changes.set(this.#subject.keyOf(entry), entry);
    this.#queue.add(this);
  }

  /** What is to be told under a key at the end of this turn. */
  untold(key: string): T | undefined {
    return this.#changes.get(key);
  }

  run(): boolean {
    if (this.#changes.size === 0) return true;
    this.#n++;
    this.#say({ kind: "changes", entries: [...this.#changes.values()] });
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

  #say(word: Word<T>): void {
    const letter: Letter<T> = { from: this.id, n: this.#n, word };
    publishWord(this.#bus, this.#subject.topic, letter);
  }

  #hear({ from, n, word }: Letter<T>): void {
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
    if (word.kind === "changes" || word.kind === "all") this.#subject.told(from, word.entries, word.kind === "all");
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
      this.#say({ kind: "all", entries: this.#subject.here() });
    }, answerMs).unref();
  }

  #lose(id: string, heardAt: number): void {
    if (this.#peers.delete(id)) this.#subject.lost(id, heardAt);
  }
}
