import type { Door } from "../protocol.ts";
import { TEXT } from "../text.ts";
import { countingProtocol } from "./counting.ts";
import { GrpcLink } from "./grpc-link.ts";
import { grpcData } from "./http2-frames.ts";

/** The bare gRPC server: whoever calls is in the room, and a message goes to everyone as it is. */
export const plainGrpc = countingProtocol(join, grpcData(Buffer.from(TEXT)));

async function join(door: Door): Promise<GrpcLink> {
  const link = await GrpcLink.open(door.port, "/bench.Room/Connect");
  await link.answered;
  return link;
}
