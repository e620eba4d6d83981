/** aedes as it comes, in memory. */
import { createServer } from "node:net";
import { Aedes } from "aedes";

const broker = await Aedes.createBroker({ concurrency: 10_000 });
createServer({ noDelay: true }, broker.handle).listen(Number(process.env["PORT"]));
