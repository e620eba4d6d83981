import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { services } from "@parlor/contract";

/** Tells tools such as grpcurl what the contract holds. */
export function addReflection(server: Server): void {
  const files = new Set<DescFile>();
  const add = (file: DescFile): void => {
    if (files.has(file)) return;
    file.dependencies.forEach(add);
    files.add(file);
  };
  for (const service of services) add(service.file);
  const fileDescriptorProtos = [...files].map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  const definition = { contract: { format: "Protocol Buffer 3 EnumDescriptorProto" as const, type: {}, fileDescriptorProtos } };
  new ReflectionService(definition, { services: services.map((service) => service.typeName) }).addToServer(server);
}
