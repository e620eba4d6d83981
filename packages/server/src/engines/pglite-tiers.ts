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
    using _ = withoutTierUp();
    loopOnce();
  };
}

/** Until it is disposed of, nothing that is first called is optimized, but for the module's first function. */
export function withoutTierUp(): Disposable {
  setFlagsFromString("--wasm-tier-up-filter=0");
  return { [Symbol.dispose]: () => setFlagsFromString("--wasm-tier-up-filter=-1") };
}
