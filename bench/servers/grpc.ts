/** Bare grpc-js: each message is written to each stream at once, its bytes encoded once. */
import {
  type handleBidiStreamingCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
} from "@grpc/grpc-js";

const bytes = (value: Buffer): Buffer => value;
const room: ServiceDefinition = {
  Connect: {
    path: "/bench.Room/Connect",
    requestStream: true,
    responseStream: true,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

const members = new Set<ServerDuplexStream<Buffer, Buffer>>();
const connect: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
  members.add(call);
  call.sendMetadata(new Metadata());
  call.on("data", (message: Buffer) => {
    for (const member of members) member.write(message);
  });
  call.on("close", () => members.delete(call));
  call.on("error", () => members.delete(call));
};

const server = new Server();
server.addService(room, { Connect: connect });
server.bindAsync(`127.0.0.1:${process.env["PORT"]}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
