import type { AnyDesc, DescEnumValue, DescField, DescFile, DescMessage } from "@bufbuild/protobuf";
import { type Contract, commentOf } from "./contract.ts";

/**
 * Every declaration of the contract without a comment that says more than its name does. Requests and responses are described
 * by their methods, `..._id` fields by their names, and zero values of enums by being none of the others.
 */
export function undocumented({ services, messages, enums }: Contract): readonly string[] {
  const declared: Exclude<AnyDesc, DescFile>[] = [
    ...services.flatMap((service) => [service, ...service.methods]),
    ...messages.filter((message) => !belongsToMethod(message)),
    ...messages.flatMap((message) => [...message.fields.filter((field) => !namesItself(field)), ...message.oneofs.filter(isDeclared)]),
    ...enums.flatMap((desc) => [desc, ...desc.values.filter((value) => !isUnspecified(value))]),
  ];
  return declared.filter((desc) => commentOf(desc) === "").map(String);
}

const belongsToMethod = (message: DescMessage): boolean => /(Request|Response)$/.test(message.name);

const namesItself = (field: DescField): boolean => /_ids?$/.test(field.name);

const isUnspecified = (value: DescEnumValue): boolean => value.number === 0 && value.name.endsWith("_UNSPECIFIED");

/** Whether a oneof is written in the proto file: `optional` makes another kind. */
const isDeclared = (oneof: { fields: readonly DescField[] }): boolean => oneof.fields.every((field) => !field.proto.proto3Optional);
