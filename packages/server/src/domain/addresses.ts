import { isIPv6 } from "node:net";

/**
 * What limits count as one place: an IPv4 address, or the /64 network of an IPv6 address, since whoever has one of its
 * addresses has them all. Anything else stands for itself.
 */
export function addressKey(address: string): string {
  const plain = address.split("%", 1)[0] as string;
  if (!isIPv6(plain)) return plain;
  const groups = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(groups);
  return mapped ? dotted(mapped[1] as string, mapped[2] as string) : network(groups);
}

function dotted(high: string, low: string): string {
  const bytes = [high, low].flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
  return bytes.join(".");
}

function network(groups: string): string {
  const [head = "", tail] = groups.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  return `${[...left, ...zeros, ...right].slice(0, 4).join(":")}::/64`;
}
