import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import type { Log } from "../ports/log.ts";
import type { TlsIdentity } from "../transports/secure-door.ts";
import { type Config, ConfigError } from "./config.ts";

/** How often the files are looked at (milliseconds). A look is one `stat` for each. */
const lookEveryMs = 5000;

/** The certificate in use, which follows its files. */
export interface TlsFiles {
  readonly identity: TlsIdentity;
  /** When the certificate ends, in milliseconds since 1970. */
  readonly endsAt: number;
  /**
   * Reads the files again whenever they change; `renewed` gets what they hold. What is not good is logged, and
   * the certificate in use stays.
   */
  follow(renewed: (identity: TlsIdentity) => void, log: Log, everyMs?: number): void;
  /** Reads the files now. */
  reload(): void;
  close(): void;
}

/**
 * The certificate that the config names; undefined when it names none.
 * @throws ConfigError that names the variables whose files are not good
 */
export function openTlsFiles(config: Config["tls"]): TlsFiles | undefined {
  const { certFile, keyFile, clientCaFile } = config;
  if (certFile === undefined || keyFile === undefined) return undefined;
  const paths = clientCaFile === undefined ? [certFile, keyFile] : [certFile, keyFile, clientCaFile];
  const read = (): TlsIdentity => readIdentity(certFile, keyFile, clientCaFile);
  return new FollowedFiles(paths, read);
}

class FollowedFiles implements TlsFiles {
  readonly #paths: readonly string[];
  readonly #read: () => TlsIdentity;
  readonly #onChange = (): void => this.reload();
  #identity: TlsIdentity;
  #renewed: (identity: TlsIdentity) => void = () => {};
  #log: Log | undefined;

  constructor(paths: readonly string[], read: () => TlsIdentity) {
    this.#paths = paths;
    this.#read = read;
    this.#identity = read();
  }

  get identity(): TlsIdentity {
    return this.#identity;
  }

  get endsAt(): number {
    return endOf(this.#identity.cert);
  }

  follow(renewed: (identity: TlsIdentity) => void, log: Log, everyMs = lookEveryMs): void {
    this.#renewed = renewed;
    this.#log = log;
    // Not fs.watch: certificates are put in place by renaming, and in Kubernetes by changing where a link leads.
    for (const path of this.#paths) watchFile(path, { interval: everyMs, persistent: false }, this.#onChange);
    if (this.endsAt < Date.now()) log.warn(this.#about(), "The TLS certificate has expired");
  }

  reload(): void {
    try {
      const identity = this.#read();
      this.#renewed(identity);
      this.#identity = identity;
      this.#log?.info(this.#about(), "The TLS certificate was read anew");
    } catch (error) {
      // Also when the certificate is there already and its key is not yet: the key's change brings another look.
      this.#log?.warn({ err: error }, "The TLS files are not good: the certificate in use stays");
    }
  }

  close(): void {
    for (const path of this.#paths) unwatchFile(path, this.#onChange);
  }

  #about(): object {
    return { certificate: this.#paths[0], endsAt: new Date(this.endsAt).toISOString() };
  }
}

function endOf(cert: Buffer): number {
  return Date.parse(new X509Certificate(cert).validTo);
}

function readIdentity(certFile: string, keyFile: string, clientCaFile: string | undefined): TlsIdentity {
  const problems: string[] = [];
  const cert = read("PARLOR_TLS_CERT_FILE", certFile, parsedCertificate, "a certificate in PEM", problems);
  const key = read("PARLOR_TLS_KEY_FILE", keyFile, createPrivateKey, "a private key in PEM without a passphrase", problems);
  const ca =
    clientCaFile === undefined
      ? undefined
      : read("PARLOR_TLS_CLIENT_CA_FILE", clientCaFile, parsedCertificate, "certificates in PEM", problems);
  if (cert && key && !cert.parsed.checkPrivateKey(key.parsed)) {
    problems.push("PARLOR_TLS_KEY_FILE must hold the key of the certificate in PARLOR_TLS_CERT_FILE: the two do not belong together.");
  }
  if (cert === undefined || key === undefined || problems.length > 0) throw new ConfigError(problems);
  return { cert: cert.bytes, key: key.bytes, ...(ca && { clientCa: ca.bytes }) };
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
