// Which services are in this process, and the ways to those that are in others.
import { readFileSync } from "node:fs";
import type { DescService } from "@bufbuild/protobuf";
import { AuthService, MessagesService, PresenceService, RoomsService, UsersService } from "@parlor/contract";
import type { ServiceName } from "../domain/service-names.ts";
import type { Hosted } from "../services/dispatcher.ts";
import { type Answered, remote } from "../services/remote/remote-service.ts";
import { ServiceChannel, type ServiceTls } from "../services/remote/service-channel.ts";
import type { ServiceProofs } from "../transports/grpc/service-trust.ts";
import { type Config, ConfigError } from "./config.ts";
import { isWhole, needsStore, type RemoteName, servicesNeededBy } from "./services-config.ts";
import type { TlsMaterial } from "./tls-files.ts";

/** What is called at each place. */
const contractOf: { readonly [N in RemoteName]: DescService } = {
  auth: AuthService,
  users: UsersService,
  rooms: RoomsService,
  messages: MessagesService,
  realtime: PresenceService,
};

export class Places {
  /** How other services prove to this process who they are. */
  readonly proofs: ServiceProofs;
  /** Whether anything here works with the Store. */
  readonly needStore: boolean;
  readonly #here: ReadonlySet<ServiceName>;
  readonly #channels: ReadonlyMap<RemoteName, ServiceChannel>;

  /**
   * @param material this process's certificate, which it shows to services at https URLs, and what it checks theirs by
   * @throws ConfigError when a file cannot be used
   */
  constructor({ services }: Config, material: TlsMaterial) {
    const token = services.tokenFile === undefined ? services.token : readToken(services.tokenFile);
    const needed = servicesNeededBy(services.hosted);
    const tls = serviceTls(material);
    const certificates = token === undefined && !isWhole(services.hosted) && material.identity?.clientCa !== undefined;
    this.proofs = { token, certificates };
    this.needStore = needsStore(services.hosted);
    this.#here = new Set(services.hosted);
    this.#channels = new Map(needed.map((name) => [name, new ServiceChannel({ name, url: services[name] as string, token, tls })]));
  }

  has(...names: readonly ServiceName[]): boolean {
    return names.some((name) => this.#here.has(name));
  }

  /** The services that are needed here and live elsewhere. */
  remotes(answered?: Answered): Hosted[] {
    return [...this.#channels].map(([name, channel]) => remote(contractOf[name], channel, answered));
  }

  /** @throws Error for a service that is not needed here */
  elsewhere(name: RemoteName): ServiceChannel {
    const channel = this.#channels.get(name);
    if (!channel) throw new Error(`${name} is not elsewhere.`);
    return channel;
  }

  get areAllHere(): boolean {
    return this.#channels.size === 0;
  }

  /** Which of the services elsewhere answer now. */
  async reachable(): Promise<Readonly<Record<string, boolean>>> {
    return Object.fromEntries(await Promise.all([...this.#channels].map(async ([name, channel]) => [name, await channel.reachable()])));
  }

  /** What is shown to services elsewhere, and what theirs is checked by, from now on. */
  renewTls(material: TlsMaterial): void {
    for (const channel of this.#channels.values()) channel.renew(serviceTls(material));
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }
}

function serviceTls({ identity, serviceCa }: TlsMaterial): ServiceTls {
  return { ...(serviceCa && { ca: serviceCa }), ...(identity && { key: identity.key, cert: identity.cert }) };
}

function readToken(file: string): string {
  const token = readTokenFile(file).trim();
  if (!/^[!-~]{32,}$/.test(token)) throw new ConfigError(["PARLOR_SERVICE_TOKEN_FILE must hold at least 32 bytes of printable ASCII."]);
  return token;
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError([`PARLOR_SERVICE_TOKEN_FILE cannot be read: ${(cause as NodeJS.ErrnoException).code}.`]);
  }
}
