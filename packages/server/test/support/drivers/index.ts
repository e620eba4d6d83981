import { clientDriver } from "./client.ts";
import type { Driver } from "./driver.ts";
import { grpcDriver } from "./grpc.ts";

/** Every way to speak to a server. */
export function driversOf({ port, url }: { readonly port: number; readonly url: string }): readonly Driver[] {
  return [grpcDriver(port), clientDriver(url, "json"), clientDriver(url, "proto")];
}
