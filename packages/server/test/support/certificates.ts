// An authority of a test's own, and certificates from it, made by the openssl command.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Authority extends Disposable {
  readonly certFile: string;
  readonly cert: Buffer;
  /** A certificate for this machine, by the name localhost and its loopback addresses. */
  issue(name: string, days?: number): Certificate;
}

/** Why there can be no certificates here; undefined when there can. In CI they must be there. */
export const noOpenssl: string | undefined = whyNot();

export function createAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "parlor-tls-"));
  const [certFile, keyFile] = [join(folder, "ca.crt"), join(folder, "ca.key")];
  openssl("req", "-x509", ...newKey(keyFile), "-out", certFile, "-days", "2", "-subj", "/CN=Parlor test authority");
  const issue = (name: string, days = 2): Certificate => {
    const files = { certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) };
    const [request, extensions] = [join(folder, `${name}.csr`), join(folder, `${name}.ext`)];
    writeFileSync(extensions, "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n");
    openssl("req", ...newKey(files.keyFile), "-out", request, "-subj", `/CN=${name}`);
    const by = ["-CA", certFile, "-CAkey", keyFile, "-CAcreateserial"];
    openssl("x509", "-req", "-in", request, ...by, "-out", files.certFile, "-days", String(days), "-extfile", extensions);
    return { ...files, cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) };
  };
  return { certFile, cert: readFileSync(certFile), issue, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

function newKey(keyFile: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}

function whyNot(): string | undefined {
  if (process.env.CI === "true") return undefined;
  try {
    openssl("version");
    return undefined;
  } catch (error) {
    return `certificates need the openssl command: ${(error as Error).message}`;
  }
}
