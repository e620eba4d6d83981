import { MemoryBusHub } from "../../src/engines/bus-memory.ts";
import { busSuite } from "../suites/bus.ts";

busSuite("one process", async () => {
  const hub = new MemoryBusHub();
  return {
    join: async () => hub.join(),
    interrupt: async () => {
      const heal = hub.interrupt();
      return async () => heal();
    },
    close: async () => {},
  };
});
