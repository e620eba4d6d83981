// Random input at a whole server. As a program it runs a million inputs, or PARLOR_TEST_FUZZ of them; PARLOR_TEST_SEED repeats
// a run.
import assert from "node:assert/strict";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { Code, ErrorSchema, MessagesService, Reason, RoomsService, type WireError } from "@parlor/contract";
import { clientDriver } from "../support/drivers/client.ts";
import type { Person } from "../support/drivers/driver.ts";
import { newName } from "../support/party.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { type Known, Mutations } from "./mutations.ts";
import { type Target, target } from "./target.ts";
import { grpcPath, HostileStream } from "./voices.ts";
import { Witness } from "./witness.ts";

/** What came of the inputs. */
export interface Tally {
  readonly inputs: number;
  /** How often each answer came: "OK" or a reason. */
  readonly answers: ReadonlyMap<string, number>;
  /** What the server takes more of memory than before (bytes). */
  readonly growth: number;
}

/** After so many, somebody new has a new room: random calls soon take from people what they may do. */
const inputsPerRoom = 2000;
/** Inputs under way at a time, on each protocol. */
const atOnce = 8;

/**
 * Sends so many inputs over every protocol. Fails when an answer is no typed error and no success, when the server says that
 * it is its own fault, when it ends, or when somebody else is disturbed.
 */
export async function fuzz(inputs: number, seed: number): Promise<Tally> {
  await using server = await target();
  const witness = await Witness.start(server);
  const random = new Random(seed);
  const answers = new Map<string, number>();
  const before = await server.memory();
  for (let done = 0; done < inputs; done += inputsPerRoom) {
    const fuzzer = await Fuzzer.begin(server, answers);
    await fuzzer.run(Math.min(inputsPerRoom, inputs - done), random);
    fuzzer.close();
  }
  await witness.assertUndisturbed();
  await server.assertWell();
  return { inputs, answers, growth: (await server.memory()).rss - before.rss };
}

/** Sends one input, or a few; says how many. */
type Door = (mutations: Mutations) => Promise<number>;

class Fuzzer {
  readonly #answers: Map<string, number>;
  readonly #server: Target;
  readonly #person: Person;
  readonly #known: Known;
  readonly #session: ClientHttp2Session;

  private constructor(server: Target, person: Person, known: Known, answers: Map<string, number>) {
    this.#answers = answers;
    this.#server = server;
    this.#person = person;
    this.#known = known;
    this.#session = connect(server.url);
  }

  /** Signs in and makes what requests can be about. */
  static async begin(server: Target, answers: Map<string, number>): Promise<Fuzzer> {
    const driver = clientDriver(server.url, "json");
    const [person, other] = [await driver.signUp(newName()), await driver.signUp(newName())];
    const { room } = await person.call(RoomsService.method.createRoom, { name: "Fuzz", memberIds: [other.user.id] });
    const { room: foreign } = await other.call(RoomsService.method.createRoom, { name: "Foreign" });
    const roomId = room?.id ?? "";
    const { message } = await person.call(MessagesService.method.sendMessage, { roomId, text: "first" });
    other.close();
    const ids = [roomId, roomId, roomId, message?.id ?? "", foreign?.id ?? "", person.user.id, other.user.id, "me"];
    return new Fuzzer(server, person, { ids, token: person.token }, answers);
  }

  /** Those that run at the same time make their own choices, so that a seed makes the same inputs again. */
  async run(inputs: number, random: Random): Promise<void> {
    const doors: readonly Door[] = [
      (mutations) => this.#rest(mutations),
      (mutations) => this.#grpc(mutations),
      (mutations) => this.#stream("json", mutations),
      (mutations) => this.#stream("proto", mutations),
    ];
    const share = Math.ceil(inputs / (doors.length * atOnce));
    const attackers = doors.flatMap((door) =>
      Array.from({ length: atOnce }, async () => {
        const mutations = new Mutations(random.fork(), this.#known);
        for (let done = 0; done < share; ) done += await door(mutations);
      }),
    );
    await Promise.all(attackers);
  }

  close(): void {
    this.#session.destroy();
    this.#person.close();
  }

  async #rest(mutations: Mutations): Promise<number> {
    const { verb, path, body } = mutations.http();
    const response = await fetch(`${this.#server.url}/api/v1${path}`, {
      method: verb,
      headers: { authorization: `Bearer ${this.#person.token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    this.#count(response.ok ? undefined : fromJsonString(ErrorSchema, text), `${verb} ${path} ${body}`);
    return 1;
  }

  async #grpc(mutations: Mutations): Promise<number> {
    const { method, bytes } = mutations.grpc();
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(bytes.length, 1);
    const headers = { ":method": "POST", ":path": grpcPath(method), "content-type": "application/grpc", te: "trailers" };
    const stream = this.#session.request({ ...headers, authorization: `Bearer ${this.#person.token}` });
    stream.end(Buffer.concat([prefix, bytes]));
    stream.resume();
    const ended = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
      const take = (answer: IncomingHttpHeaders): void => void (answer["grpc-status"] !== undefined && resolve(answer));
      stream.on("response", take).on("trailers", take).on("error", reject);
      stream.on("close", () => reject(new Error("the call ended without a status")));
    });
    const error = ended["parlor-error-bin"];
    assert.ok(error !== undefined || ended["grpc-status"] === "0", `status ${ended["grpc-status"]} without an error for ${method.name}`);
    const wire = error === undefined ? undefined : fromBinary(ErrorSchema, Buffer.from(error as string, "base64"));
    this.#count(wire, `${method.name} ${bytes.toString("hex")}`);
    return 1;
  }

  /** A stream and some frames on it, each of which is answered, or the stream ends with a goodbye. */
  async #stream(format: "json" | "proto", mutations: Mutations): Promise<number> {
    const stream = await HostileStream.open(this.#server.port, format, this.#person.token);
    const frames = Array.from({ length: 20 }, () => (format === "json" ? mutations.frameJson().toString() : mutations.frameBinary()));
    for (const frame of frames) stream.raw(frame);
    const { reason, error } = await Promise.race([
      stream.ended,
      stream.ask({ case: "ping", value: {} }).then((answer) => ({ reason: answer.reason, error: answer.error })),
    ]);
    assert.ok(reason !== "REASON_UNSPECIFIED", "the stream ended without a goodbye");
    for (const { result } of stream.replies.items) this.#count(result.case === "error" ? result.value : undefined, format);
    if (error) this.#count(error.toWire(), format);
    stream.close();
    return frames.length;
  }

  #count(error: WireError | undefined, input = ""): void {
    const answer = error === undefined ? "OK" : Reason[error.reason];
    this.#answers.set(answer as string, (this.#answers.get(answer as string) ?? 0) + 1);
    if (error === undefined) return;
    assert.ok(error.reason !== Reason.REASON_UNSPECIFIED, `an error without a reason for ${input}`);
    assert.ok(error.code !== Code.INTERNAL && error.code !== Code.UNKNOWN, `a fault of the server for ${input}`);
  }
}

if (import.meta.main) {
  const seed = seedOfRun();
  const inputs = Number(process.env["PARLOR_TEST_FUZZ"] ?? 1_000_000);
  console.log(`seed ${seed}, ${inputs} inputs`);
  const start = performance.now();
  const { answers, growth } = await fuzz(inputs, seed);
  console.table([...answers].sort(([, a], [, b]) => b - a).map(([answer, count]) => ({ answer, count })));
  console.log(`${Math.round((performance.now() - start) / 1000)} s, ${Math.round(growth / 2 ** 20)} MB more in memory`);
}
