// A Mosquitto of our own, set up as deploy/mosquitto does it, to be killed and started again.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "./child-server.ts";

const setup = fileURLToPath(new URL("../../../../deploy/mosquitto/setup.sh", import.meta.url));
const binary = "/usr/sbin/mosquitto";
const password = "a password of the broker";

/** Why there is no Mosquitto here; in CI a missing one is a failure. */
export function whyNoMosquitto(): string | undefined {
  if (process.env.CI === "true" || spawnSync(binary, ["-h"]).error === undefined) return undefined;
  return "no Mosquitto (Debian package mosquitto)";
}

export class Mosquitto implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  /** Starts one that knows the bridge. @param config further lines of its configuration */
  static async start(config: readonly string[] = []): Promise<Mosquitto> {
    const folder = mkdtempSync(join(tmpdir(), "parlor-mosquitto-"));
    const port = await freePort();
    const broker = new Mosquitto(folder, port);
    mkdirSync(join(folder, "data"));
    // As Debian has it.
    const own = ["persistence true", `persistence_location ${join(folder, "data")}/`, `include_dir ${join(folder, "conf.d")}`, ""];
    writeFileSync(join(folder, "mosquitto.conf"), own.join("\n"));
    broker.#setUp("install");
    const file = join(folder, "conf.d", "parlor.conf");
    const user = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
    const text = readFileSync(file, "utf8").replace("listener 1883", `user ${user}\nlistener ${port} 127.0.0.1`);
    writeFileSync(file, [text, ...config, ""].join("\n"));
    await broker.restart();
    return broker;
  }

  /** To be used before a start: the broker reads its users then. */
  addUser(name: string): void {
    this.#setUp("user", name);
    this.#process?.kill("SIGHUP");
  }

  grant(name: string, roomId: string): void {
    this.#setUp("grant", name, roomId);
    this.#process?.kill("SIGHUP");
  }

  urlFor(name: string): string {
    return `mqtt://${name}:${encodeURIComponent(password)}@127.0.0.1:${this.port}`;
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#process = spawn(binary, ["-c", join(this.#folder, "mosquitto.conf")], { stdio: "ignore" });
    await listening(this.port, this.#process);
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #setUp(...argv: readonly string[]): void {
    execFileSync(setup, argv, { env: { ...process.env, MOSQUITTO_DIR: this.#folder, MOSQUITTO_PASSWORD: password }, stdio: "pipe" });
  }
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error("Mosquitto did not start.");
    const socket = connect(port, "127.0.0.1");
    const open = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error").then(() => false)]).catch(() => false);
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
