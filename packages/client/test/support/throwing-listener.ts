// A program with a listener that throws; it prints who heard what.
import { Listeners } from "../../src/readers/listeners.ts";

process.on("uncaughtException", ({ message }) => console.log(`uncaught: ${message}`));
const listeners = new Listeners<{ readonly tick: number }>();
listeners.on("tick", (tick) => {
  throw new Error(`broken ${tick}`);
});
listeners.on("tick", (tick) => console.log(`others hear ${tick}`));
listeners.emit("tick", 1);
listeners.emit("tick", 2);
