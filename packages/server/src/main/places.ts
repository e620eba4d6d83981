// Which services are in this process, and the ways to those that are in others.
import { readFileSync } from "node:fs";
import type { DescService } from "@bufbuild/protobuf";
import { AuthService, MessagesService, PresenceService, RoomsService, UsersService } from "@parlor/contract";
import type { ServiceName } from "../domain/service-names.ts";
import type { Hosted } from "../services/dispatcher.ts";
import { type Answered, remote } from "../services/remote/remote-service.ts";
import { type ChannelOptions, ServiceChannel } from "../services/remote/service-channel.ts";
import type { ServiceProofs } from "../transports/grpc/service-trust.ts";
import type { TlsIdentity } from "../transports/secure-door.ts";
import { type Config, ConfigError } from "./config.ts";
import { isWhole, needsStore, type RemoteName, servicesNeededBy } from "./services-config.ts";

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
  readonly #elsewhere: ReadonlyMap<RemoteName, ChannelOptions>;
  readonly #channels: ReadonlyMap<RemoteName, ServiceChannel>;

  /**
   * @param identity this process's certificate, which it shows to services at https URLs
   * @throws ConfigError when a file cannot be used
   */
  constructor({ services }: Config, identity: TlsIdentity | undefined) {
    const token = services.tokenFile === undefined ? services.token : readToken(services.tokenFile);
    const needed = servicesNeededBy(services.hosted);
    const ca = services.caFile === undefined ? undefined : readFileOf("PARLOR_SERVICE_CA_FILE", services.caFile);
    const tls = { ...(ca && { ca }), ...(identity && { key: identity.key, cert: identity.cert }) };
    this.proofs = { token, certificates: token === undefined && !isWhole(services.hosted) && identity?.clientCa !== undefined };
    this.needStore = needsStore(services.hosted);
    this.#here = new Set(services.hosted);
    this.#elsewhere = new Map(needed.map((name) => [name, { name, url: services[name] as string, token, tls }]));
    this.#channels = new Map([...this.#elsewhere].map(([name, options]) => [name, new ServiceChannel(options)]));
  }

  has(...names: readonly ServiceName[]): boolean {
    return names.some((name) => this.#here.has(name));
  }

  /** The services that are needed here and live elsewhere. */
  remotes(answered?: Answered): Hosted[] {
    return [...this.#channels].map(([name, channel]) => remote(contractOf[name], channel, answered));
  }

  /** @throws Error for a service that is not needed here */
  elsewhere(name: RemoteName): ChannelOptions & { readonly channel: ServiceChannel } {
    const [options, channel] = [this.#elsewhere.get(name), this.#channels.get(name)];
    if (!options || !channel) throw new Error(`${name} is not elsewhere.`);
    return { ...options, channel };
  }

  get areAllHere(): boolean {
    return this.#channels.size === 0;
  }

  /** Which of the services elsewhere answer now. */
  async reachable(): Promise<Readonly<Record<string, boolean>>> {
    return Object.fromEntries(await Promise.all([...this.#channels].map(async ([name, channel]) => [name, await channel.reachable()])));
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }
}

function readToken(file: string): string {
  const token = readFileOf("PARLOR_SERVICE_TOKEN_FILE", file).toString("utf8").trim();
  if (!/^[!-~]{32,}$/.test(token)) throw new ConfigError(["PARLOR_SERVICE_TOKEN_FILE must hold at least 32 bytes of printable ASCII."]);
  return token;
}

function readFileOf(variable: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ConfigError([`${variable} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`]);
  }
}
