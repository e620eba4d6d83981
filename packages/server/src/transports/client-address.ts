import { BlockList, isIP, isIPv4 } from "node:net";

/** Tells whose call it is: the address of the connection, or what a trusted proxy says of it. */
export class ClientAddresses {
  readonly #proxies = new BlockList();

  /** @param trusted addresses and networks (CIDR) whose `X-Forwarded-For` is believed */
  constructor(trusted: readonly string[]) {
    for (const one of trusted) {
      const [address = "", bits] = one.split("/");
      const family = isIPv4(address) ? "ipv4" : "ipv6";
      if (bits === undefined) this.#proxies.addAddress(address, family);
      else this.#proxies.addSubnet(address, Number(bits), family);
    }
  }

  isProxy(address: string): boolean {
    return isIP(address) > 0 && this.#proxies.check(address, isIPv4(address) ? "ipv4" : "ipv6");
  }

  /** Each proxy adds the address that it saw at the end, so the last one that is not a trusted proxy is the client. */
  of(peer: string | undefined, forwardedFor: string | undefined): string {
    let address = plainAddress(peer);
    const hops = forwardedFor?.split(",") ?? [];
    for (let hop = hops.pop(); hop !== undefined && this.isProxy(address); hop = hops.pop()) {
      const before = plainAddress(hop.trim());
      if (isIP(before) === 0) break;
      address = before;
    }
    return address;
  }
}

/** An address without the IPv6 form in which a socket that serves both families writes IPv4. */
export function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:(?=\d+\.)/, "") ?? "";
}

export function isLoopback(address: string): boolean {
  return address === "::1" || /^127\.\d+\.\d+\.\d+$/.test(address);
}
