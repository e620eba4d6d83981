import { existsSync } from "node:fs";
import { freePort, listening } from "./ports.ts";
import { ServerProcess } from "./process.ts";

const BINARY = "/usr/bin/redis-server";

/** A Redis of our own that keeps nothing, on the servers' core. */
export class RedisServer implements AsyncDisposable {
  readonly #server: ServerProcess;
  readonly url: string;

  private constructor(server: ServerProcess, port: number) {
    this.#server = server;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static missing(): string | undefined {
    return existsSync(BINARY) ? undefined : "Redis is not installed (Debian package redis-server)";
  }

  static async start(): Promise<RedisServer> {
    const port = await freePort();
    const server = new ServerProcess({
      argv: [BINARY, "--bind", "127.0.0.1", "--port", String(port), "--save", "", "--appendonly", "no", "--daemonize", "no"],
    });
    await server.started(() => listening(port));
    return new RedisServer(server, port);
  }

  get pid(): number {
    return this.#server.pid;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}
