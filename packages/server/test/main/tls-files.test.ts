import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect, getCACertificates, setDefaultCACertificates } from "node:tls";
import { ParlorClient } from "@parlor/client";
import { type Config, ConfigError, loadConfig, type RunningServer, startServer } from "../../src/index.ts";
import { openTlsFiles, type TlsMaterial } from "../../src/main/tls-files.ts";
import { type Log, noLog } from "../../src/ports/log.ts";
import { type Authority, type Certificate, createAuthority, noOpenssl } from "../support/certificates.ts";
import { freshPglite } from "../support/databases.ts";
import { Inbox } from "../support/inbox.ts";
import { password, testEnvironment } from "../support/running.ts";

describe("the files of TLS", { skip: noOpenssl ?? false }, () => {
  let authority: Authority;
  let folder: string;

  before(() => {
    authority = createAuthority();
    folder = mkdtempSync(join(tmpdir(), "parlor-tls-files-"));
  });
  after(() => {
    authority[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  /** Puts a certificate where the server looks for it. */
  function install({ certFile, keyFile }: Certificate): { readonly certFile: string; readonly keyFile: string } {
    const files = { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key") };
    copyFileSync(keyFile, files.keyFile);
    copyFileSync(certFile, files.certFile);
    return files;
  }

  /** A config that names these files, and no others. */
  function configOf(files: Partial<Record<"certFile" | "keyFile" | "clientCaFile" | "caFile", string>>): Config {
    const { tls, services, ...others } = loadConfig({});
    const { caFile, ...ofTls } = files;
    return { ...others, tls: { ...tls, ...ofTls }, services: { ...services, caFile } };
  }

  function problemsOf(open: () => unknown): readonly string[] {
    try {
      open();
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
    return assert.fail("it was accepted");
  }

  test("both or none, and an authority only with them", () => {
    assert.match(String(problemsOf(() => loadConfig({ PARLOR_TLS_CERT_FILE: "a" }))), /PARLOR_TLS_CERT_FILE and PARLOR_TLS_KEY_FILE/);
    assert.match(String(problemsOf(() => loadConfig({ PARLOR_TLS_KEY_FILE: "a" }))), /PARLOR_TLS_CERT_FILE and PARLOR_TLS_KEY_FILE/);
    assert.match(String(problemsOf(() => loadConfig({ PARLOR_TLS_CLIENT_CA_FILE: "a" }))), /PARLOR_TLS_CLIENT_CA_FILE needs/);
    assert.deepEqual(openTlsFiles(loadConfig({})).material, {});
  });

  test("files that are not good are named by their variables when the server starts", () => {
    const { certFile, keyFile } = authority.issue("one");
    const other = authority.issue("other");
    const empty = join(folder, "empty.pem");
    writeFileSync(empty, "");
    const problems = (files: Partial<Record<"certFile" | "keyFile" | "clientCaFile" | "caFile", string>>): string =>
      String(problemsOf(() => openTlsFiles(configOf({ certFile, keyFile, ...files }))));
    assert.match(problems({ certFile: "/nowhere" }), /^PARLOR_TLS_CERT_FILE cannot be read: ENOENT/);
    assert.match(problems({ keyFile: empty }), /^PARLOR_TLS_KEY_FILE must name a file with a private key/);
    assert.match(problems({ clientCaFile: empty }), /^PARLOR_TLS_CLIENT_CA_FILE must name a file with certificates/);
    assert.match(problems({ keyFile: other.keyFile }), /PARLOR_TLS_KEY_FILE must hold the key of the certificate/);
    assert.match(problems({ caFile: "/nowhere" }), /^PARLOR_SERVICE_CA_FILE cannot be read: ENOENT/);
    assert.match(problems({ caFile: empty }), /^PARLOR_SERVICE_CA_FILE must name a file with certificates/);
    assert.match(problems({ certFile: keyFile, keyFile: certFile }), /PARLOR_TLS_CERT_FILE[\s\S]*PARLOR_TLS_KEY_FILE/);
  });

  test("what changes is read again; a half of it is not taken", async () => {
    const first = authority.issue("first");
    const second = authority.issue("second");
    const files = openTlsFiles(configOf(install(first)));
    const renewed = new Inbox<TlsMaterial>();
    const warnings = new Inbox<string>();
    const log: Log = { ...noLog, warn: (_fields, message) => warnings.put(message) };
    files.follow((material) => renewed.put(material), log, 20);
    copyFileSync(second.certFile, join(folder, "tls.crt"));
    await warnings.find((message) => message.includes("stays"));
    assert.deepEqual(files.material.identity?.cert, first.cert);
    copyFileSync(second.keyFile, join(folder, "tls.key"));
    await renewed.find(({ identity }) => identity?.cert.equals(second.cert) === true);
    assert.deepEqual(files.material.identity?.cert, second.cert);
    files.close();
  });

  test("what changes while the server starts is read again", async () => {
    const files = openTlsFiles(configOf(install(authority.issue("earlier"))));
    const later = authority.issue("later");
    install(later);
    const renewed = new Inbox<TlsMaterial>();
    files.follow((material) => renewed.put(material), noLog, 20);
    await renewed.find(({ identity }) => identity?.cert.equals(later.cert) === true);
    files.close();
  });

  async function nameShownBy({ port }: RunningServer): Promise<string | string[] | undefined> {
    const socket = connect({ port, host: "127.0.0.1", ca: authority.cert });
    const { promise, resolve, reject } = Promise.withResolvers<string | string[] | undefined>();
    socket.on("secureConnect", () => resolve(socket.getPeerCertificate().subject.CN)).on("error", reject);
    return promise.finally(() => socket.destroy());
  }

  test("the client talks to a server with TLS, whose certificate is replaced while they talk", async () => {
    const { certFile, keyFile } = install(authority.issue("before"));
    const { database, close } = await freshPglite();
    const env = { ...testEnvironment, PARLOR_TLS_CERT_FILE: certFile, PARLOR_TLS_KEY_FILE: keyFile };
    const server = await startServer(loadConfig(env), { database });
    const roots = getCACertificates("default");
    setDefaultCACertificates([...roots, authority.cert.toString()]);
    assert.match(server.url, /^https:/);
    const client = new ParlorClient({ url: server.url });
    await client.signUp({ username: "ada", password });
    const { room } = await client.rooms.createRoom({ name: "Engines" });
    const events = new Inbox<string | undefined>();
    client.on("event", (event) => events.put(event.kind.case));
    await client.connect();
    assert.equal(await nameShownBy(server), "before");
    install(authority.issue("after"));
    server.reloadTls();
    assert.equal(await nameShownBy(server), "after");
    await client.send(room?.id ?? "", "hello");
    await events.find((kind) => kind === "messageSent");
    client.close();
    await server.close();
    await close();
    setDefaultCACertificates(roots);
  });
});
