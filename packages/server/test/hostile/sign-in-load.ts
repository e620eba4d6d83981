// How long others wait while fifty people sign in at once, at the cost of a hash that is used in earnest. To be run by hand:
// node packages/server/test/hostile/sign-in-load.ts
import { availableParallelism } from "node:os";
import { MessagesService, RoomsService } from "@parlor/contract";
import { clientDriver } from "../support/drivers/client.ts";
import { grpcDriver } from "../support/drivers/grpc.ts";
import { newName } from "../support/party.ts";
import { password } from "../support/running.ts";
import { target } from "./target.ts";

const people = 50;

await using server = await target({ PARLOR_BCRYPT_COST: "12" });
const names = await Promise.all(
  Array.from({ length: people }, async () => {
    const person = await clientDriver(server.url, "json").signUp(newName());
    person.close();
    return person.user.username;
  }),
);
const ada = await grpcDriver(server.port).signUp(newName());
const { room } = await ada.call(RoomsService.method.createRoom, { name: "Load" });
const roomId = room?.id ?? "";
const ways = {
  GetRoom: () => ada.call(RoomsService.method.getRoom, { roomId }),
  SendMessage: () => ada.call(MessagesService.method.sendMessage, { roomId, text: "x" }),
};

console.log(`${availableParallelism()} cores, bcrypt cost 12, ${people} log-ins at once`);
report("before", await whileRunning(new Promise((resolve) => setTimeout(resolve, 3000))));
const start = performance.now();
const logIns = Promise.all(names.map(logIn));
const during = await whileRunning(logIns);
const outcomes = await logIns;
report("during", during);
console.log(`${outcomes.filter((status) => status === 200).length} of ${people} signed in, in ${Math.round(performance.now() - start)} ms`);
ada.close();

async function logIn(username: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${server.url}/api/v1/auth/login`, {
    method: "POST",
    headers,
    body: JSON.stringify({ username, password }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Calls one after the other until something is done; how long each took, in milliseconds. */
async function whileRunning(work: Promise<unknown>): Promise<Readonly<Record<string, number[]>>> {
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  let done = false;
  void work.then(() => (done = true));
  while (!done) {
    for (const [name, call] of Object.entries(ways)) {
      const begin = performance.now();
      await call();
      times[name]?.push(performance.now() - begin);
    }
  }
  return times;
}

function report(when: string, times: Readonly<Record<string, number[]>>): void {
  for (const [name, all] of Object.entries(times)) {
    const sorted = all.toSorted((a, b) => a - b);
    const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
    console.log(`${when}: ${name} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms, of ${sorted.length}`);
  }
}
