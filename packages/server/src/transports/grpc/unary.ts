import { type DescMethod, type DescService, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Call } from "../../domain/call.ts";
import { serviceMetadata } from "../../domain/forwarded-call.ts";
import type { Log } from "../../ports/log.ts";
import type { Api } from "../../services/api.ts";
import { bearerOf } from "../bearer.ts";
import type { ClientAddresses } from "../client-address.ts";
import { malformed, refusalOf } from "../errors.ts";
import { requestIdOf } from "../request-id.ts";
import { callOf } from "./metadata.ts";
import { errorBytes, shortened } from "./status.ts";

export interface UnaryDeps {
  readonly api: Api;
  readonly addresses: ClientAddresses;
  readonly log: Log;
}

type Incoming = ServerUnaryCall<Buffer, Buffer>;

const same = (bytes: Buffer): Buffer => bytes;

/** The unary methods of a service as grpc-js wants them. Messages stay bytes there, so that decoding fails with our own error. */
export function definitionOf(service: DescService): ServiceDefinition {
  const unary = service.methods.filter((method) => method.methodKind === "unary");
  return Object.fromEntries(unary.map((method) => [method.localName, methodDefinition(method)]));
}

export function implementationOf(service: DescService, deps: UnaryDeps): UntypedServiceImplementation {
  return Object.fromEntries(service.methods.map((method) => [method.localName, handlerOf(method, deps)]));
}

export const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

function methodDefinition(method: DescMethod): ServiceDefinition[string] {
  return {
    path: pathOf(method),
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function handlerOf(method: DescMethod, deps: UnaryDeps): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const requestId = requestIdOf(headersOf(call)["x-request-id"]);
    const trailers = new Metadata();
    trailers.set("x-request-id", requestId);
    answer(method, call, requestId, deps).then(
      (bytes) => callback(null, bytes, trailers),
      (thrown: unknown) => {
        const error = refusalOf(thrown, requestId, deps.log);
        trailers.set("parlor-error-bin", errorBytes(error, requestId));
        callback({ code: error.code as number, details: shortened(error.message), metadata: trailers });
      },
    );
  };
}

async function answer(method: DescMethod, call: Incoming, requestId: string, { api, addresses }: UnaryDeps): Promise<Buffer> {
  const headers = headersOf(call);
  const about = { ...callOf(headers, call.getPeer().replace(/:\d+$/, ""), addresses), requestId, ...deadlineOf(call) };
  const caller = about.caller ?? (await api.authenticate(bearerOf(headers.authorization), about));
  const request = decode(method, call.request);
  const response = await api.call(method, request, caller === undefined ? about : { ...about, caller });
  const bytes = toBinary(method.output, response);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function deadlineOf(call: Incoming): Pick<Call, "deadline"> {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline) ? { deadline } : {};
}

/** The headers that count here, as HTTP/2 has them. */
function headersOf({ metadata }: Incoming): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of ["authorization", "x-request-id", "x-forwarded-for", "traceparent", serviceMetadata.call]) {
    const [value] = metadata.get(name);
    if (value !== undefined) headers[name] = typeof value === "string" ? value : value.toString("base64");
  }
  return headers;
}

function decode(method: DescMethod, bytes: Buffer): Message {
  try {
    return fromBinary(method.input, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw malformed(`The message is not a ${method.input.name} in protobuf.`, cause);
  }
}
