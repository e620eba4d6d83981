// Clients that nobody here wrote: Mosquitto's commands, and Paho in Python. (The other tests use the client of npm.)
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ParlorClient } from "@parlor/client";
import { engines } from "../support/databases.ts";
import { eventsOf, sendTo } from "../support/mqtt-device.ts";
import { password, type Running, running } from "../support/running.ts";

const python = "/usr/bin/python3";
const script = fileURLToPath(new URL("mqtt-paho.py", import.meta.url));

/** Why a program cannot be tested here. In CI nothing may be missing. */
function missing(isThere: boolean, what: string): string | false {
  assert.ok(isThere || process.env["CI"] !== "true", `${what} is missing`);
  return isThere ? false : `no ${what}`;
}

const noMosquitto = missing(existsSync("/usr/bin/mosquitto_rr"), "Debian package mosquitto-clients");
const noPaho = missing(spawnSync(python, ["-c", "import paho.mqtt"]).status === 0, "Debian package python3-paho-mqtt");

describe("MQTT: clients of others", () => {
  let server: Running;
  let ada: ParlorClient;
  let roomId: string;
  let token: string;
  before(async () => {
    server = await running(engines[0] as (typeof engines)[0]);
    ada = new ParlorClient({ url: server.url });
    await ada.signUp({ username: "ada", password });
    roomId = (await ada.rooms.createRoom({ name: "Lab" })).room?.id ?? "";
    token = ada.tokens?.accessToken ?? "";
  });
  after(async () => {
    ada.close();
    await server[Symbol.asyncDispose]();
  });

  const start = (command: string, ...options: string[]): ChildProcess =>
    spawn(command, [...options, "-h", "127.0.0.1", "-p", String(server.port), "-u", "ada", "-P", token], {
      stdio: ["ignore", "pipe", "pipe"],
    });
  const finish = async (child: ChildProcess): Promise<{ readonly code: number; readonly out: string }> => {
    const [out, error, [code]] = await Promise.all([text(child.stdout as never), text(child.stderr as never), once(child, "exit")]);
    return { code: code as number, out: out + error };
  };
  const run = (command: string, ...options: string[]) => finish(start(command, ...options));
  const said = (words: string): Promise<unknown> => ada.messages.sendMessage({ roomId, text: words });

  for (const version of ["311", "5"] as const) {
    describe(`Mosquitto's commands (${version})`, { skip: noMosquitto }, () => {
      test("mosquitto_pub sends, mosquitto_sub hears", async () => {
        // Its own output is held back in a pipe, unless it is told not to.
        const listener = start(
          "stdbuf",
          "-oL",
          "mosquitto_sub",
          "-V",
          version,
          "-q",
          "1",
          "-t",
          eventsOf(roomId),
          "-C",
          "1",
          "-W",
          "20",
          "-d",
        );
        const over = once(listener, "exit");
        await new Promise<void>((resolve) => listener.stdout?.on("data", (bytes) => String(bytes).includes("SUBACK") && resolve()));
        assert.deepEqual(await run("mosquitto_pub", "-V", version, "-q", "1", "-t", sendTo(roomId), "-m", `hello ${version}`), {
          code: 0,
          out: "",
        });
        assert.deepEqual(await over, [0, null]);
        const { messages } = await ada.messages.listMessages({ roomId });
        assert.equal(messages.at(-1)?.text, `hello ${version}`);
      });

      test("mosquitto_sub comes back to its session", async () => {
        const options = [
          "-V",
          version,
          "-q",
          "1",
          "-t",
          eventsOf(roomId),
          "-i",
          `keeper${version}`,
          "-c",
          ...(version === "5" ? ["-x", "3600"] : []),
        ];
        await run("mosquitto_sub", ...options, "-E");
        await said("while you were away");
        const { out } = await run("mosquitto_sub", ...options, "-C", "1", "-W", "20");
        assert.match(out, /while you were away/);
      });

      test("a wrong password is said to be one", async () => {
        const { code, out } = await finish(
          spawn("mosquitto_pub", [
            "-h",
            "127.0.0.1",
            "-p",
            String(server.port),
            "-V",
            version,
            "-u",
            "ada",
            "-P",
            "no",
            "-t",
            "x",
            "-m",
            "x",
          ]),
        );
        assert.notEqual(code, 0);
        assert.match(out, /not authori[sz]ed|bad user ?name|refused/i);
      });
    });
  }

  describe("Mosquitto's request and response", { skip: noMosquitto }, () => {
    test("mosquitto_rr gets the message that it sent, and pages of history", async () => {
      const ask = (topic: string, message: string) =>
        run("mosquitto_rr", "-V", "5", "-q", "1", "-t", topic, "-e", "parlor/v1/me/replies/rr", "-m", message, "-W", "20");
      const sent = JSON.parse((await ask(sendTo(roomId), "with an answer")).out);
      assert.equal(sent.message.text, "with an answer");
      const page = JSON.parse((await ask(`parlor/v1/rooms/${roomId}/history`, '{"pageSize":1}')).out);
      assert.deepEqual(
        page.messages.map((message: { text: string }) => message.text),
        ["with an answer"],
      );
      const log = JSON.parse((await ask(`parlor/v1/rooms/${roomId}/log`, '{"afterSeq":0,"pageSize":1}')).out);
      assert.equal(log.events[0].seq, 1);
      const refused = JSON.parse((await ask(`parlor/v1/rooms/${roomId}/read`, '{"seq":4000000}')).out);
      assert.equal(refused.error.reason, "SEQ_IN_FUTURE");
    });
  });

  for (const version of ["3.1.1", "5"] as const) {
    test(`Paho in Python (${version})`, { skip: noPaho }, async () => {
      const child = spawn(python, [script, "127.0.0.1", String(server.port), version, roomId], {
        stdio: ["pipe", "pipe", "pipe"],
      });
      child.stdin.end(token);
      const { code, out } = await finish(child);
      assert.equal(code, 0, out);
      assert.deepEqual(out.trim().split("\n"), ["sent and heard: hello from paho", "resumed: while paho was away", "refused"]);
    });
  }
});
