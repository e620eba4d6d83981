// A real server: `npm start` on a free port, with a data folder that goes away.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Env, Program } from "./processes.ts";
import { root } from "./root.ts";

export interface ExampleServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** A folder for the test's own files. */
  readonly folder: string;
  /** What commands need to know to work with this server. */
  readonly env: Env;
}

export async function startServer(): Promise<ExampleServer> {
  const folder = mkdtempSync(join(tmpdir(), "parlor-examples-"));
  const data = join(folder, "data");
  const program = new Program("npm", ["start"], { cwd: root, env: { PORT: "0", HOST: "127.0.0.1", PARLOR_DATA_DIR: data } });
  const stop = async (): Promise<void> => {
    await program.stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [, port = ""] = await program.until(/"port":(\d+).*"msg":"Ready"/);
    const url = `http://127.0.0.1:${port}`;
    const env = { PARLOR_DATA_DIR: data, PARLOR_URL: url, XDG_CONFIG_HOME: join(folder, "config") };
    return { port: Number(port), url, folder, env, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
