import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Log } from "../ports/log.ts";
import type { TlsIdentity } from "../transports/secure-door.ts";
import { type Config, ConfigError } from "./config.ts";

/** How often the files are looked at (milliseconds). A look is one `stat` for each. */
const lookEveryMs = 5000;

/** What the files hold. */
export interface TlsMaterial {
  /** Left out where TLS is not ours to speak. */
  readonly identity?: TlsIdentity;
  /** The authorities of services at https URLs, in PEM; left out: the system's. */
  readonly serviceCa?: Buffer;
}

/** What is in use, which follows its files. */
export interface TlsFiles {
  readonly material: TlsMaterial;
  /** When the certificate ends, in milliseconds since 1970; undefined where there is none. */
  readonly endsAt: number | undefined;
  /** Reads the files again whenever they change; `renewed` gets what they hold. What is not good is logged, and what is in use stays. */
  follow(renewed: (material: TlsMaterial) => void, log: Log, everyMs?: number): void;
  /** Reads the files now. */
  reload(): void;
  close(): void;
}

/** Those of the files that the config names. @throws ConfigError that names the variables whose files are not good */
export function openTlsFiles({ tls, services }: Pick<Config, "services" | "tls">): TlsFiles {
  const paths = [tls.certFile, tls.keyFile, tls.clientCaFile, services.caFile].filter((path) => path !== undefined);
  return new FollowedFiles(paths, () => readMaterial(tls, services.caFile));
}

class FollowedFiles implements TlsFiles {
  readonly #paths: readonly string[];
  readonly #read: () => TlsMaterial;
  /** Of the files, before they were last read: what changes while they are read, or before anybody follows, is seen at the next look. */
  #state: string;
  #material: TlsMaterial;
  #renewed: (material: TlsMaterial) => void = () => {};
  #log: Log | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(paths: readonly string[], read: () => TlsMaterial) {
    this.#paths = paths;
    this.#read = read;
    this.#state = stateOf(paths);
    this.#material = read();
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  get endsAt(): number | undefined {
    const { identity } = this.#material;
    return identity && endOf(identity.cert);
  }

  follow(renewed: (material: TlsMaterial) => void, log: Log, everyMs = lookEveryMs): void {
    this.#renewed = renewed;
    this.#log = log;
    // Not fs.watch: certificates are put in place by renaming, and in Kubernetes by changing where a link leads. Nor fs.watchFile, which
    // knows nothing of what changed before its first look.
    this.#timer = setInterval(() => this.#look(), everyMs).unref();
    if (this.endsAt !== undefined && this.endsAt < Date.now()) log.warn(this.#about(), "The TLS certificate has expired");
  }

  #look(): void {
    if (stateOf(this.#paths) !== this.#state) this.reload();
  }

  reload(): void {
    this.#state = stateOf(this.#paths);
    try {
      const material = this.#read();
      this.#renewed(material);
      this.#material = material;
      this.#log?.info(this.#about(), "The TLS files were read anew");
    } catch (error) {
      // Also when the certificate is there already and its key is not yet: the key's change brings another look.
      this.#log?.warn({ err: error }, "The TLS files are not good: what is in use stays");
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #about(): object {
    return { files: this.#paths, ...(this.endsAt !== undefined && { endsAt: new Date(this.endsAt).toISOString() }) };
  }
}

/** Two of them differ when a file has changed, or another one is in its place. */
function stateOf(paths: readonly string[]): string {
  return paths
    .map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
    .map((file) => file && [file.dev, file.ino, file.size, file.mtimeNs, file.ctimeNs].join(" "))
    .join("\n");
}

function endOf(cert: Buffer): number {
  return Date.parse(new X509Certificate(cert).validTo);
}

function readMaterial({ certFile, keyFile, clientCaFile }: Config["tls"], serviceCaFile: string | undefined): TlsMaterial {
  const problems: string[] = [];
  const identity = certFile === undefined || keyFile === undefined ? undefined : readIdentity(certFile, keyFile, clientCaFile, problems);
  const serviceCa = readAuthorities("PARLOR_SERVICE_CA_FILE", serviceCaFile, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...(identity && { identity }), ...(serviceCa && { serviceCa }) };
}

function readIdentity(certFile: string, keyFile: string, clientCaFile: string | undefined, problems: string[]): TlsIdentity | undefined {
  const cert = read("PARLOR_TLS_CERT_FILE", certFile, parsedCertificate, "a certificate in PEM", problems);
  const key = read("PARLOR_TLS_KEY_FILE", keyFile, createPrivateKey, "a private key in PEM without a passphrase", problems);
  const clientCa = readAuthorities("PARLOR_TLS_CLIENT_CA_FILE", clientCaFile, problems);
  if (cert && key && !cert.parsed.checkPrivateKey(key.parsed)) {
    problems.push("PARLOR_TLS_KEY_FILE must hold the key of the certificate in PARLOR_TLS_CERT_FILE: the two do not belong together.");
  }
  return cert && key && { cert: cert.bytes, key: key.bytes, ...(clientCa && { clientCa }) };
}

function readAuthorities(variable: string, path: string | undefined, problems: string[]): Buffer | undefined {
  return path === undefined ? undefined : read(variable, path, parsedCertificate, "certificates in PEM", problems)?.bytes;
}

function parsedCertificate(bytes: Buffer): X509Certificate {
  return new X509Certificate(bytes);
}

interface Read<T> {
  readonly bytes: Buffer;
  readonly parsed: T;
}

/** Reads a file and looks into it; what is wrong is added to the problems, by the name of the variable. */
function read<T>(variable: string, path: string, parse: (bytes: Buffer) => T, wanted: string, problems: string[]): Read<T> | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    problems.push(`${variable} cannot be read: ${(error as Error).message}.`);
    return undefined;
  }
  try {
    return { bytes, parsed: parse(bytes) };
  } catch {
    problems.push(`${variable} must name a file with ${wanted}; ${JSON.stringify(path)} holds none.`);
    return undefined;
  }
}
