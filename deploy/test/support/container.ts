// A container as far as it can be had without Docker: the image's command in its folder, with its environment and user.
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Outcome, Program } from "../../../examples/support/processes.ts";
import { type Image, inImage } from "./dockerfile.ts";

type Env = Readonly<Record<string, string>>;

export class Container implements AsyncDisposable {
  readonly #image: Image;
  readonly #env: Env;
  /** Stands for /tmp. */
  readonly #scratch = mkdtempSync(join(tmpdir(), "parlor-container-"));
  readonly #main: Program;

  /** Starts it. */
  constructor(image: Image, env: Env) {
    this.#image = image;
    const { uid, gid } = this.#ids();
    chownSync(this.#scratch, uid, gid);
    const own = Object.entries(image.env).map(([name, value]) => [name, this.#pathsOf(value)]);
    this.#env = { ...Object.fromEntries(own), ...env };
    this.#main = this.#start(image.command, {});
  }

  /** The port on which it serves, once it does. */
  async ready(): Promise<string> {
    const [, port = ""] = await this.#main.until(/"port":(\d+).*"msg":"Ready"/);
    return port;
  }

  /** Runs a command beside it, to its end. */
  exec(command: readonly string[], env: Env, input = ""): Promise<Outcome> {
    return this.#start(command, env, input).ended;
  }

  stop(): Promise<Outcome> {
    return this.#main.stop(this.#image.stopSignal as NodeJS.Signals);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#main.stop("SIGKILL");
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  #ids(): { readonly uid: number; readonly gid: number } {
    const [uid = 0, gid = 0] = this.#image.user.split(":").map(Number);
    return { uid, gid };
  }

  #pathsOf(value: string): string {
    const local = value.replaceAll("/usr/local/bin", join(this.#image.folder, "usr/local/bin"));
    return inImage(this.#image.folder, local === "/tmp" ? this.#scratch : local);
  }

  #start([command = "", ...args]: readonly string[], env: Env, input = ""): Program {
    const cwd = join(this.#image.folder, this.#image.workdir);
    return new Program(command, args, { cwd, env: { ...this.#env, ...env }, input, ...this.#ids() });
  }
}
