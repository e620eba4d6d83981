// A person on the SDK and a person on Python's gRPC talk in one room.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { ParlorClient, Room_Visibility } from "@parlor/client";
import { Program, run } from "./support/processes.ts";
import { startServer } from "./support/server.ts";

const folder = join(import.meta.dirname, "python-grpc");
const python = "/usr/bin/python3";
const missing =
  spawnSync(python, ["-c", "import grpc, google.protobuf"]).status !== 0 || spawnSync("protoc", ["--version"]).status !== 0
    ? "needs Debian's python3-grpcio, python3-protobuf and protobuf-compiler"
    : false;

test("a Python client made of the proto files takes part", { skip: missing, timeout: 60_000 }, async () => {
  await using server = await startServer();
  const generated = join(server.folder, "generated");
  const compiled = await run("sh", [join(folder, "compile.sh"), generated], { env: { PYTHON: python } });
  assert.equal(compiled.code, 0, compiled.stderr);

  using alice = new ParlorClient({ url: server.url });
  using bob = new ParlorClient({ url: server.url });
  await alice.signUp({ username: "alice", password: "a red balloon" });
  await bob.signUp({ username: "bob", password: "a blue balloon" });
  const { room } = await alice.rooms.createRoom({ name: "kitchen", visibility: Room_Visibility.PUBLIC });
  const roomId = room?.id ?? "";
  await alice.connect();
  await alice.send(roomId, "Is anybody there?");
  const events = alice.events();

  const env = { PYTHONPATH: generated, PYTHONDONTWRITEBYTECODE: "1", PARLOR_PASSWORD: "a blue balloon" };
  const talk = (password: string): Program =>
    new Program(python, [join(folder, "talk.py"), `127.0.0.1:${server.port}`, "bob", roomId, "Hello from Python"], {
      env: { ...env, PARLOR_PASSWORD: password },
    });
  await using talking = talk("a blue balloon");
  for await (const { kind } of events) if (kind.case === "messageSent" && kind.value.message?.text === "Hello from Python") break;
  await alice.send(roomId, "bye");
  const { code, stdout, stderr } = await talking.ended;
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "1 room_created\n2 member_joined\n3 Is anybody there?\n4 member_joined\n5 Hello from Python\n6 bye\n");

  const refused = await talk("a wrong balloon").ended;
  assert.equal(refused.code, 1);
  assert.equal(refused.stderr, "BAD_CREDENTIALS: User name or password is wrong.\n");
});
