// Random input at a whole server. As a program it runs a million inputs, or PARLOR_TEST_FUZZ of them; PARLOR_TEST_SEED repeats
// a run, and PARLOR_TEST_FUZZ_AT=mqtt keeps to that protocol (or grpc, rest, json, proto).
import assert from "node:assert/strict";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { Code, ErrorSchema, MessagesService, Reason, RoomsService, type WireError } from "@parlor/contract";
import { freePort } from "../support/child-server.ts";
import { clientDriver } from "../support/drivers/client.ts";
import type { Person } from "../support/drivers/driver.ts";
import { newName } from "../support/party.ts";
import { Random, seedOfRun } from "../support/random.ts";
import { MqttMutations } from "./mqtt-mutations.ts";
import { answersIn, converse, openWay } from "./mqtt-voice.ts";
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
export async function fuzz(inputs: number, seed: number, at?: string): Promise<Tally> {
  const mqttPort = await freePort();
  // One person is on all protocols at the same time.
  await using server = await target({ PARLOR_MQTT_PORT: String(mqttPort), PARLOR_CONNECTIONS_PER_USER: "1000" });
  const witness = await Witness.start(server);
  const random = new Random(seed);
  const answers = new Map<string, number>();
  const before = await server.memory();
  for (let done = 0; done < inputs; done += inputsPerRoom) {
    const fuzzer = await Fuzzer.begin(server, mqttPort, answers);
    await fuzzer.run(Math.min(inputsPerRoom, inputs - done), random, at);
    fuzzer.close();
  }
  await witness.assertUndisturbed();
  await server.assertWell();
  return { inputs, answers, growth: (await server.memory()).rss - before.rss };
}

/** Sends one input, or a few; says how many. */
type Door = (mutations: Mutations, own: Random) => Promise<number>;

class Fuzzer {
  readonly #answers: Map<string, number>;
  readonly #server: Target;
  readonly #mqttPort: number;
  readonly #person: Person;
  readonly #known: Known;
  readonly #session: ClientHttp2Session;

  private constructor(server: Target, mqttPort: number, person: Person, known: Known, answers: Map<string, number>) {
    this.#answers = answers;
    this.#server = server;
    this.#mqttPort = mqttPort;
    this.#person = person;
    this.#known = known;
    this.#session = connect(server.url);
  }

  /** Signs in and makes what requests can be about. */
  static async begin(server: Target, mqttPort: number, answers: Map<string, number>): Promise<Fuzzer> {
    const driver = clientDriver(server.url, "json");
    const [person, other] = [await driver.signUp(newName()), await driver.signUp(newName())];
    const { room } = await person.call(RoomsService.method.createRoom, { name: "Fuzz", memberIds: [other.user.id] });
    const { room: foreign } = await other.call(RoomsService.method.createRoom, { name: "Foreign" });
    const roomId = room?.id ?? "";
    const { message } = await person.call(MessagesService.method.sendMessage, { roomId, text: "first" });
    other.close();
    const ids = [roomId, roomId, roomId, message?.id ?? "", foreign?.id ?? "", person.user.id, other.user.id, "me"];
    return new Fuzzer(server, mqttPort, person, { ids, token: person.token, username: person.user.username }, answers);
  }

  /** Those that run at the same time make their own choices, so that a seed makes the same inputs again. */
  async run(inputs: number, random: Random, at?: string): Promise<void> {
    const all: Readonly<Record<string, Door>> = {
      rest: (mutations) => this.#rest(mutations),
      grpc: (mutations) => this.#grpc(mutations),
      json: (mutations) => this.#stream("json", mutations),
      proto: (mutations) => this.#stream("proto", mutations),
      mqtt: (_, own) => this.#mqtt(new MqttMutations(own, this.#known)),
    };
    const doors = Object.entries(all).flatMap(([name, door]) => (at === undefined || at === name ? [door] : []));
    const share = Math.ceil(inputs / (doors.length * atOnce));
    const attackers = doors.flatMap((door) =>
      Array.from({ length: atOnce }, async () => {
        const own = random.fork();
        const mutations = new Mutations(own, this.#known);
        for (let done = 0; done < share; ) done += await door(mutations, own);
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

  /** A connection and some packets on it, the last of which is a ping: each is answered, or it ends. */
  async #mqtt(mutations: MqttMutations): Promise<number> {
    const way = mutations.random.pick(["shared", "own", "websocket"] as const);
    const stream = await openWay(way, { port: this.#server.port, mqttPort: this.#mqttPort });
    const packets = Array.from({ length: 20 }, () => mutations.packet());
    const ping = Buffer.of(0xc0, 0);
    const opening = mutations.opening();
    const told = await converse(stream, mutations.version, opening, [...packets, ping]);
    const said = (): string => [opening, ...packets].map((bytes) => bytes.toString("hex")).join(" ");
    for (const answer of answersIn(told)) {
      assert.ok(!/INTERNAL|0x80/.test(answer), `a fault of the server for ${said()}`);
      this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
    }
    return packets.length + 1;
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
  const { answers, growth } = await fuzz(inputs, seed, process.env["PARLOR_TEST_FUZZ_AT"]);
  console.table([...answers].sort(([, a], [, b]) => b - a).map(([answer, count]) => ({ answer, count })));
  console.log(`${Math.round((performance.now() - start) / 1000)} s, ${Math.round(growth / 2 ** 20)} MB more in memory`);
}
