// A stand-in for grpcurl, as far as the README uses it: all that it knows of the server comes by reflection.
//
//   grpcurl -plaintext [-H 'name: value'] [-d JSON] HOST:PORT list|SERVICE/METHOD
import { join } from "node:path";
import { parseArgs } from "node:util";
import { create, createFileRegistry, fromBinary, fromJsonString, toBinary, toJson } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { root } from "./root.ts";

const same = (bytes: Buffer): Buffer => bytes;

interface ReflectionAnswer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Uint8Array[] };
}

/** Asks one question of the reflection service. */
function reflect(client: Client, question: object): Promise<ReflectionAnswer> {
  const { nested } = protobuf
    .loadSync(join(root, "node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto"))
    .lookup("grpc.reflection.v1") as protobuf.Namespace;
  const request = nested?.["ServerReflectionRequest"] as protobuf.Type;
  const response = nested?.["ServerReflectionResponse"] as protobuf.Type;
  const stream = client.makeBidiStreamRequest("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", same, same);
  const { promise, resolve, reject } = Promise.withResolvers<ReflectionAnswer>();
  stream.on("error", reject).on("data", (bytes: Buffer) => resolve(response.decode(bytes) as unknown as ReflectionAnswer));
  stream.end(Buffer.from(request.encode(request.create(question)).finish()));
  return promise;
}

async function list(client: Client): Promise<string> {
  const { listServicesResponse } = await reflect(client, { listServices: "*" });
  return (listServicesResponse?.service ?? [])
    .map(({ name }) => name)
    .sort()
    .join("\n");
}

async function call(client: Client, target: string, json: string, metadata: Metadata): Promise<string> {
  const [service = "", name = ""] = target.split("/");
  const files = new Map<string, FileDescriptorProto>();
  await collect(client, { fileContainingSymbol: service }, files);
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files.values()] }));
  const method = registry.getService(service)?.methods.find((one) => one.name === name);
  if (!method) throw new Error(`the server does not know ${target}`);
  const bytes = Buffer.from(toBinary(method.input, fromJsonString(method.input, json, { registry })));
  const answer = await new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(`/${service}/${name}`, same, same, bytes, metadata, (error, value) =>
      error ? reject(error) : resolve(value as Buffer),
    );
  });
  return JSON.stringify(toJson(method.output, fromBinary(method.output, answer), { registry }), null, 2);
}

/** Adds the files of an answer, each after those that it imports; a server may leave those out. */
async function collect(client: Client, question: object, files: Map<string, FileDescriptorProto>): Promise<void> {
  const { fileDescriptorResponse } = await reflect(client, question);
  const [file, ...imported] = (fileDescriptorResponse?.fileDescriptorProto ?? []).map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
  if (!file || files.has(file.name)) return;
  for (const name of file.dependency) if (!files.has(name)) await collect(client, { fileByFilename: name }, files);
  for (const one of [file, ...imported]) if (!files.has(one.name)) files.set(one.name, one);
}

const { values, positionals } = parseArgs({
  args: process.argv.slice(2).map((arg) => (arg === "-plaintext" ? "--plaintext" : arg)),
  options: {
    plaintext: { type: "boolean" },
    header: { type: "string", short: "H", multiple: true },
    data: { type: "string", short: "d", default: "{}" },
  },
  allowPositionals: true,
});
const [address = "", what = ""] = positionals;
const metadata = new Metadata();
for (const header of values.header ?? []) metadata.set(...(header.split(/: */, 2) as [string, string]));
const client = new Client(address, credentials.createInsecure());
console.log(what === "list" ? await list(client) : await call(client, what, values.data, metadata));
client.close();
