// How a command fails: one message for people on standard error, and an exit code for programs.
import { CommanderError } from "commander";

export const exitCodes = { failed: 1, usage: 2, unreachable: 3, unauthenticated: 4 } as const;

export const exitCodeHelp = `Exit codes:
  0  done
  1  refused, or failed
  2  wrong use of the command, or wrong configuration
  3  the server or the database cannot be reached
  4  not logged in, or not any more`;

/** Something that the person at the terminal can put right. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.usage) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What a ParlorError is, as far as it is needed here: the contract itself takes too long to load for `--version`. */
interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly requestId: string;
  readonly cause?: unknown;
}

const unavailable = 14;
const unauthenticated = 16;

/** What is at the bottom of an error: fetch says only that it failed. */
function rootOf(cause: unknown): string {
  let root = cause;
  while (root instanceof Error && root.cause !== undefined) root = root.cause;
  if (!(root instanceof Error)) return "";
  // OpenSSL's messages are for its own developers, and of several addresses tried there is no message.
  const readable = root.message !== "" && !root.message.includes("\n");
  const text = readable ? root.message : (root as NodeJS.ErrnoException).code;
  return text === undefined ? "" : ` (${text})`;
}

function refusalText({ code, message, retryAfterMs, requestId, cause }: Refusal): string {
  const lines = [`${message}${rootOf(cause)}`];
  if (retryAfterMs !== undefined) lines.push(`Try again in ${Math.ceil(retryAfterMs / 1000)} s.`);
  if (code === unauthenticated) lines.push("Log in with `parlor login`, or set PARLOR_TOKEN.");
  if (code === unavailable) lines.push("Is the server running, and PARLOR_URL right? The default is http://localhost:8080.");
  if (requestId !== "") lines.push(`(request ${requestId})`);
  return lines.join("\n");
}

function refusalExit(code: number): number {
  if (code === unavailable) return exitCodes.unreachable;
  return code === unauthenticated ? exitCodes.unauthenticated : exitCodes.failed;
}

function isPortTaken(error: Error): error is Error & { readonly port: number } {
  return "code" in error && error.code === "EADDRINUSE" && "port" in error;
}

function portTaken(port: number): string {
  const setting = ["PARLOR_GRPC_PORT", "PARLOR_MQTT_PORT"].find((name) => process.env[name] === String(port)) ?? "PORT";
  return `Port ${port} is taken by another program. Stop that one, or set ${setting} to another number.`;
}

function describe(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof UsageError) return { text: error.message, exitCode: error.exitCode };
  if (!(error instanceof Error)) return { text: String(error), exitCode: exitCodes.failed };
  if (error.name === "ConfigError") return { text: `${error.message}\nSee \`parlor serve --help\`.`, exitCode: exitCodes.usage };
  if (error.name === "ParlorError") {
    const refusal = error as unknown as Refusal;
    return { text: refusalText(refusal), exitCode: refusalExit(refusal.code) };
  }
  if (isPortTaken(error)) return { text: portTaken(error.port), exitCode: exitCodes.failed };
  if (error.name === "DatabaseError") return { text: `The database: ${error.message}`, exitCode: exitCodes.unreachable };
  return { text: process.env["PARLOR_LOG_LEVEL"] === "debug" ? (error.stack ?? error.message) : error.message, exitCode: exitCodes.failed };
}

/** Says what went wrong and ends the process. */
export function fail(error: unknown): never {
  // Commander has said already what it had to say.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : exitCodes.usage);
  const { text, exitCode } = describe(error);
  process.stderr.write(`${text}\n`);
  process.exit(exitCode);
}
