import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Cleanup, type Env, parlor, Running, type Served, serve, temporaryFolder } from "./support/cli.ts";

const password = "correct horse 9";
const cleanup = new Cleanup();
after(() => cleanup.run());

interface EventLine {
  readonly seq: number;
  readonly messageSent?: { readonly message: { readonly text: string } };
}

function eventsOf(output: string): EventLine[] {
  return output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as EventLine);
}

describe("two people at their terminals", () => {
  let folder: string;
  let served: Served;
  let alice: Env;
  let bob: Env;

  before(async () => {
    folder = temporaryFolder(cleanup);
    served = await serve(cleanup, folder);
    alice = { ...served.env, XDG_CONFIG_HOME: join(folder, "alice") };
    bob = { ...served.env, XDG_CONFIG_HOME: join(folder, "bob") };
    for (const [name, env] of [
      ["alice", alice],
      ["bob", bob],
    ] as const) {
      const { code, stderr } = await parlor(["login", name, "--sign-up", "--password-stdin"], env, password);
      assert.equal(code, 0, stderr);
    }
    assert.equal((await parlor(["rooms", "create", "general", "--public"], alice)).code, 0);
    assert.equal((await parlor(["rooms", "join", "general"], bob)).code, 0);
  });

  test("what a login keeps can be read by its owner alone, and holds no password", () => {
    const file = join(alice["XDG_CONFIG_HOME"] ?? "", "parlor", "logins.json");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(!readFileSync(file, "utf8").includes(password));
  });

  test("a message that is sent is seen by who follows the room", async (context) => {
    const tail = new Running(["tail", "general"], bob);
    context.after(() => tail.process.kill("SIGKILL"));
    assert.match((await parlor(["send", "general", "Hello,", "Bob!"], alice)).stdout, /^Sent as message \d+\.\n$/);
    await tail.until("stdout", /alice: Hello, Bob!\n/);
    assert.equal((await parlor(["send", "general", "-"], alice, "one\n\u001b[2Jtwo\n")).code, 0);
    await tail.until("stdout", /alice: one\n {6}\ufffd\[2Jtwo\n/);
    tail.process.kill("SIGINT");
    assert.equal((await tail.ended).code, 0, "Ctrl-C is how it ends");
  });

  test("the same key sends once", async () => {
    const first = JSON.parse((await parlor(["send", "general", "backup done", "--key", "backup-1", "--json"], alice)).stdout) as {
      message: { seq: number };
      duplicate: boolean;
    };
    const again = JSON.parse(
      (await parlor(["send", "general", "backup done", "--key", "backup-1", "--json"], alice)).stdout,
    ) as typeof first;
    assert.deepEqual([first.duplicate, again.duplicate], [false, true]);
    assert.equal(again.message.seq, first.message.seq);
  });

  test("--from-start gives the whole log in order, --after what comes after", async (context) => {
    const whole = new Running(["tail", "general", "--from-start", "--json"], alice);
    context.after(() => whole.process.kill("SIGKILL"));
    await whole.until("stdout", /backup done.*\n/);
    whole.process.kill("SIGTERM");
    const events = eventsOf((await whole.ended).stdout);
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, index) => index + 1),
    );
    const from = (events.at(-2)?.seq ?? 0) - 1;
    const rest = new Running(["tail", "general", "--after", String(from), "--json"], alice);
    context.after(() => rest.process.kill("SIGKILL"));
    await rest.until("stdout", /backup done.*\n/);
    rest.process.kill("SIGTERM");
    assert.deepEqual(eventsOf((await rest.ended).stdout), events.slice(from));
  });

  test("a reader that goes away ends the command quietly", async () => {
    const tail = new Running(["tail", "general", "--from-start", "--json"], alice);
    await tail.until("stdout", /"seq":1,/);
    tail.process.stdout.destroy();
    assert.equal((await parlor(["send", "general", "anybody?"], bob)).code, 0);
    const { code, stderr } = await tail.ended;
    assert.deepEqual([code, stderr], [0, ""]);
  });

  test("following goes on after the server died and came back, and misses nothing", async (context) => {
    const tail = new Running(["tail", "general", "--json"], bob);
    context.after(() => tail.process.kill("SIGKILL"));
    const sent: string[] = [];
    const say = async (text: string): Promise<void> => {
      assert.equal((await parlor(["send", "general", text], alice)).code, 0);
      sent.push(text);
    };
    // Without a state of its own to wait for: it follows once something has come.
    while (tail.stdout === "") await say(`are you there? ${sent.length}`);
    served.running.process.kill("SIGKILL");
    await served.running.ended;
    served = await serve(cleanup, folder, { PORT: new URL(served.url).port });
    await say("back again");
    await tail.until("stdout", /back again.*\n/);
    tail.process.kill("SIGINT");
    const { stdout, stderr } = await tail.ended;
    const events = eventsOf(stdout);
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, index) => (events[0]?.seq ?? 0) + index),
    );
    assert.equal(events.at(-1)?.messageSent?.message.text, "back again");
    assert.match(stderr, /connection is lost.*\nConnected again\.\n$/);
  });

  test("who is not logged in, or not in the room, is told what to do", async () => {
    const stranger = await parlor(["rooms", "list"], { ...served.env, XDG_CONFIG_HOME: join(folder, "nobody") });
    assert.equal(stranger.code, 4);
    assert.match(stranger.stderr, /parlor login/);
    const forged = await parlor(["rooms", "list"], { ...served.env, PARLOR_TOKEN: "forged" });
    assert.equal(forged.code, 4);
    const elsewhere = await parlor(["send", "no-such-room", "hi"], { ...served.env, PARLOR_URL: "http://127.0.0.1:1", PARLOR_TOKEN: "x" });
    assert.equal(elsewhere.code, 3);
  });
});
