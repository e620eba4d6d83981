// Each proxy of deploy/, with its own configuration moved to free ports, in front of a server: REST, WebSocket and gRPC pass.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Outcome, Program, run } from "../../examples/support/processes.ts";
import { loadConfig } from "../../packages/server/src/main/config.ts";
import { type RunningServer, startServer } from "../../packages/server/src/main/server.ts";
import { type Authority, type Certificate, createAuthority, noOpenssl } from "../../packages/server/test/support/certificates.ts";
import { readText } from "./support/root.ts";

interface Proxy {
  readonly name: string;
  /** Writes its files, and says how it is started. */
  command(port: number): readonly [string, ...string[]];
}

// Where Debian has nginx and HAProxy; it is not in everybody's path.
process.env["PATH"] += ":/usr/sbin";

const folder = mkdtempSync(join(tmpdir(), "parlor-proxies-"));
let server: RunningServer;
let authority: Authority;
let certificate: Certificate;

before(async () => {
  if (noOpenssl) return;
  authority = createAuthority();
  certificate = authority.issue("localhost");
  const env = { PORT: "0", HOST: "127.0.0.1", PARLOR_DATA_DIR: join(folder, "data"), PARLOR_BCRYPT_COST: "4" };
  server = await startServer(loadConfig({ ...env, PARLOR_TRUSTED_PROXIES: "127.0.0.1", PARLOR_RATE_LIMITS: "off" }));
});
after(async () => {
  await server?.close();
  authority?.[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes a configuration of the repository, changed so that it runs here. */
function here(path: string, name: string, changes: Readonly<Record<string, string>>): string {
  const text = Object.entries({ ...changes, "127.0.0.1:8080": `127.0.0.1:${server.port}` }).reduce((changed, [from, to]) => {
    assert.ok(changed.includes(from), `${path} has no ${from}`);
    return changed.replaceAll(from, to);
  }, readText(path));
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const nginx: Proxy = {
  name: "nginx",
  command(port) {
    const own = here("deploy/nginx/parlor.conf", "parlor.conf", {
      "listen 443": `listen 127.0.0.1:${port}`,
      "chat.example.org;": "localhost;",
      "/etc/letsencrypt/live/chat.example.org/fullchain.pem": certificate.certFile,
      "/etc/letsencrypt/live/chat.example.org/privkey.pem": certificate.keyFile,
    });
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/nginx-${kind};`);
    const main = join(folder, "nginx.conf");
    const rights = process.getuid?.() === 0 ? "user root;" : "";
    writeFileSync(
      main,
      `${rights} daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr;
       events {} http { access_log off; ${temporary.join(" ")} include ${own}; }`,
    );
    return ["nginx", "-c", main, "-e", "stderr"];
  },
};

const haproxy: Proxy = {
  name: "haproxy",
  command(port) {
    const pem = join(folder, "haproxy.pem");
    writeFileSync(pem, Buffer.concat([certificate.cert, certificate.key]), { mode: 0o600 });
    const changes = { "maxconn 100000": "maxconn 1000", "bind :443": `bind 127.0.0.1:${port}`, "/etc/haproxy/chat.example.org.pem": pem };
    return ["haproxy", "-f", here("deploy/haproxy/haproxy.cfg", "haproxy.cfg", changes)];
  },
};

const caddy: Proxy = {
  name: "caddy",
  command(port) {
    const site = `{\n\tadmin off\n\tauto_https off\n}\nhttps://localhost:${port} {\n\ttls ${certificate.certFile} ${certificate.keyFile}`;
    const file = here("deploy/caddy/Caddyfile", "Caddyfile", { "chat.example.org {": site });
    return ["caddy", "run", "--adapter", "caddyfile", "--config", file];
  },
};

async function freePort(): Promise<number> {
  const socket = createServer().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as { readonly port: number };
  socket.close();
  await once(socket, "close");
  return port;
}

/** Waits until somebody listens there, which none of them says.  @throws Error when the program ends before */
async function listening(program: Program, port: number): Promise<void> {
  for (let ended = false; !ended; ) {
    const socket = connect(port, "127.0.0.1");
    const outcome = await Promise.race([
      once(socket, "connect").then(
        () => "connected",
        () => "refused",
      ),
      program.ended,
    ]);
    socket.destroy();
    if (outcome === "connected") return;
    ended = outcome !== "refused";
    if (!ended) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { stdout, stderr } = await program.ended;
  throw new Error(`it ended:\n${stdout}${stderr}`);
}

function talk(port: number): Promise<Outcome> {
  const env = { NODE_EXTRA_CA_CERTS: authority.certFile };
  return run(
    process.execPath,
    [join(import.meta.dirname, "support/talk.ts"), `https://localhost:${port}`, authority.certFile, `alice${port}`],
    { env },
  );
}

function missing(program: string): string | false {
  if (noOpenssl) return noOpenssl;
  const { error } = spawnSync(program, ["-v"]);
  if (error && process.env["CI"]) throw new Error(`${program} is missing`);
  return error ? `${program} is not installed` : false;
}

for (const proxy of [haproxy, nginx, caddy]) {
  test(`${proxy.name} passes REST, WebSocket and gRPC on, and no metrics`, { skip: missing(proxy.name), timeout: 60_000 }, async () => {
    const port = await freePort();
    const [command, ...args] = proxy.command(port);
    await using program = new Program(command, args, { env: { XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } });
    await listening(program, port);
    const { code, stdout, stderr } = await talk(port);
    assert.equal(code, 0, `${stdout}${stderr}${program.stdout}${program.stderr}`);
    const tea = "Tea is ready.";
    assert.deepEqual(JSON.parse(stdout), { rest: [tea], webSocket: tea, grpc: tea, metrics: 404 });
  });
}
