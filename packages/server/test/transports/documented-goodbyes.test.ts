// docs/protocols.md tells authors of clients how each protocol ends a stream.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Code, Goodbye_Reason } from "@parlor/contract";
import { goodbye } from "../../src/realtime/goodbyes.ts";
import { endings } from "../../src/transports/goodbyes.ts";

const page = readFileSync(new URL("../../../../docs/protocols.md", import.meta.url), "utf8");

test("the table of goodbyes is what the code does", () => {
  const documented = [...page.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| ([A-Z_]+) \| (0x[0-9A-F]{2}) \| (yes|no) \|$/gm)].map(([, ...cells]) =>
    cells.join(" "),
  );
  const reasons = Object.values(Goodbye_Reason).filter((value) => typeof value === "number");
  const done = reasons
    .filter((reason) => reason !== Goodbye_Reason.REASON_UNSPECIFIED)
    .map((reason) =>
      [
        Goodbye_Reason[reason],
        endings[reason].webSocket,
        Code[endings[reason].grpc],
        `0x${endings[reason].mqtt.toString(16).toUpperCase()}`,
        goodbye(reason).reconnect ? "yes" : "no",
      ].join(" "),
    );
  assert.deepEqual(documented, done);
});
