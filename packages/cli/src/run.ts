import { fail } from "./failure.ts";
import { program } from "./program.ts";

// A reader such as `head` that has seen enough is no fault of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

try {
  const args = process.argv.slice(2);
  await (await program(args)).parseAsync(args, { from: "user" });
} catch (error) {
  fail(error);
}
