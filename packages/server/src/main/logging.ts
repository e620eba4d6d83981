import { type DestinationStream, destination, type Logger, type LoggerOptions, pino, stdTimeFunctions } from "pino";
import type { Log } from "../ports/log.ts";
import type { Config } from "./config.ts";
import { safeFields, safeText } from "./safe-fields.ts";

/** Where log lines go: one complete line, with its line feed, a call. */
export type LogOutput = DestinationStream;

const options: LoggerOptions = {
  base: null,
  timestamp: stdTimeFunctions.isoTime,
  formatters: {
    level: (level) => ({ level }),
    log: safeFields,
  },
  // `safeFields` has made plain objects of errors already.
  serializers: { err: (error: unknown) => error, msg: (message: unknown) => (typeof message === "string" ? safeText(message) : message) },
};

/** pino, which makes a child's fields into text without asking `formatters`. */
class PinoLog implements Log {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  debug(fields: object, message: string): void {
    this.#logger.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    this.#logger.warn(fields, message);
  }

  error(fields: object, message: string): void {
    this.#logger.error(fields, message);
  }

  child(fields: object): Log {
    return new PinoLog(this.#logger.child(safeFields(fields)));
  }
}

/** Loaded only when somebody looks at a terminal: it takes longer to load than the rest of the log. */
async function prettyOutput(output: LogOutput, colours: boolean): Promise<LogOutput> {
  const { prettyFactory } = await import("pino-pretty");
  const format = prettyFactory({ colorize: colours, singleLine: true, translateTime: "SYS:HH:MM:ss.l" });
  return { write: (line) => output.write(format(line)) };
}

/**
 * The server's log, on standard output unless an output is given. JSON is written without waiting, so that a slow reader of
 * the log does not hold the server up; what is waiting is written when the process exits.
 */
export async function createLog(config: Config["log"], output?: LogOutput): Promise<Log> {
  const terminal = output === undefined && process.stdout.isTTY === true;
  const pretty = config.format === "pretty" || (config.format === "auto" && terminal);
  const plain = output ?? destination({ dest: 1, sync: pretty });
  const stream = pretty ? await prettyOutput(plain, terminal && !process.env["NO_COLOR"]) : plain;
  return new PinoLog(pino({ ...options, level: config.level }, stream));
}
