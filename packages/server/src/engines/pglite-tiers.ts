// Which functions of PostgreSQL V8 may optimize. It looks at its flag when it first compiles a function, which it does when that is
// first called; what was compiled without is never optimized, in any thread that has the same module.
import { setFlagsFromString } from "node:v8";

/** What PGlite calls for each message of the protocol. */
export interface Loop {
  _PostgresMainLoopOnce(): void;
}

/**
 * PostgreSQL's parser is one function of 100 KB. To optimize it would take a second of a core and 600 MB at each start, though each
 * statement is parsed but once. So what the first message is the first to call, PGlite's `SET`, is left as it is.
 */
export function leaveParserAsItIs(module: Loop): void {
  const loopOnce = module._PostgresMainLoopOnce;
  module._PostgresMainLoopOnce = () => {
    module._PostgresMainLoopOnce = loopOnce;
    forbid();
    try {
      loopOnce();
    } finally {
      permit();
    }
  };
}

/** Nothing that is first called meanwhile is optimized. */
export async function withoutTierUp<T>(work: () => Promise<T>): Promise<T> {
  forbid();
  try {
    return await work();
  } finally {
    permit();
  }
}

function forbid(): void {
  // That is: no function but the first.
  setFlagsFromString("--wasm-tier-up-filter=0");
}

function permit(): void {
  setFlagsFromString("--wasm-tier-up-filter=-1");
}
