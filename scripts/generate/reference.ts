import type { DescEnum, DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { httpRuleOf, rulesOf, services, unaryMethods } from "@parlor/contract";
import { type Contract, commentOf, firstSentence, shortName } from "./contract.ts";
import { describeAccess, describeField, describeMessage, describeMethod, serviceName } from "./describe.ts";
import { page, table } from "./markdown.ts";
import { allRefusals, named, type Refusal } from "./refusals.ts";
import { reachable } from "./schemas.ts";

/** The pages of the reference by their file names. */
export function reference(contract: Contract): Record<string, string> {
  const refusals = allRefusals(contract);
  const pages: Record<string, string> = Object.fromEntries(contract.services.map((service) => [pageOf(service), servicePage(service)]));
  return { "README.md": index(contract), ...pages, "types.md": typesPage(contract), "errors.md": errorsPage(contract, refusals) };
}

const pageOf = (service: DescService): string => `${serviceName({ parent: service }).toLowerCase()}.md`;

function index({ services }: Contract): string {
  const methods = services.map((service) => {
    const rows = service.methods.map((method) => [
      `[${method.name}](${pageOf(service)}#${method.name.toLowerCase()})`,
      restOf(method),
      firstSentence(describeMethod(method)),
    ]);
    return `## [${serviceName({ parent: service })}](${pageOf(service)})\n\n${table(["Method", "REST", ""], rows)}`;
  });
  const intro =
    "Every method, message and error of the contract in `proto/parlor/v1`. REST paths are below `/api/v1`; gRPC names are `parlor.v1.<Service>/<Method>`. See also [types](types.md) and [errors](errors.md).";
  return page("# API reference", intro, ...methods);
}

function restOf(method: DescMethod): string {
  const rule = httpRuleOf(method);
  return rule === undefined ? "`GET /realtime`" : `\`${rule.verb} ${rule.path}\``;
}

function servicePage(service: DescService): string {
  const name = serviceName({ parent: service });
  return page(`# ${name}`, commentOf(service), ...service.methods.map(methodSection));
}

function methodSection(method: DescMethod): string {
  const { who, token, limit, repeat } = describeAccess(method);
  const facts = table(
    ["", ""],
    [
      [method.methodKind === "unary" ? "REST" : "WebSocket", restOf(method)],
      ["gRPC", `\`${method.parent.typeName}/${method.name}\``],
      ["Who", who],
      ["Token", token],
      ...(method.methodKind === "unary" ? [["Limit", limit], ["Repeating", repeat], ...refusalRow(method)] : []),
    ],
  );
  return [
    `## ${method.name}`,
    describeMethod(method),
    facts,
    ...sideSection("Request", method.input),
    ...sideSection("Answer", method.output),
  ].join("\n\n");
}

function refusalRow(method: DescMethod): string[][] {
  const reasons = named(method).map((reason) => `[${reason}](errors.md#${reason.toLowerCase()})`);
  return reasons.length === 0 ? [] : [["Refusals", `${reasons.join(", ")}, and [those of every method](errors.md#every-method)`]];
}

/** What is asked or answered: a frame of the stream is described among the types. */
function sideSection(side: string, message: DescMessage): string[] {
  if (isType(message)) return [`**${side}**: a stream of ${link(message)}`];
  return [`**${side}** \`${message.name}\``, fieldTable(message)];
}

function fieldTable(message: DescMessage): string {
  if (message.fields.length === 0) return "No fields.";
  return table(
    ["Field", "Type", ""],
    message.fields.map((field) => [`\`${field.name}\``, typeOf(field), `${oneofNote(field)}${describeField(field)}${requiredNote(field)}`]),
  );
}

const requiredNote = (field: DescField): string => (rulesOf(field)?.required && isAsked(field) ? " **Required.**" : "");

/** Whether clients send the field; in what the server sends, `required` is a promise and needs no note. */
const isAsked = ({ parent }: DescField): boolean => asked.has(parent.typeName);

const asked = new Set(
  [...reachable(services.flatMap((service): readonly DescMethod[] => service.methods).map(({ input }) => input))].map(
    ({ typeName }) => typeName,
  ),
);

const oneofNote = (field: DescField): string => (field.oneof === undefined ? "" : `_One of ${field.oneof.name}._ `);

function typeOf(field: DescField): string {
  const list = field.fieldKind === "list" ? "list of " : "";
  const optional = field.proto.proto3Optional ? ", may be left out" : "";
  const type = field.message ?? field.enum;
  if (type?.typeName === "google.protobuf.Timestamp") return `${list}time`;
  return `${list}${type === undefined ? scalarOf(field) : link(type)}${optional}`;
}

const scalarOf = (field: DescField): string => ({ 8: "bool", 9: "string", 13: "uint32" })[field.scalar as number] ?? "number";

const anchor = (name: string): string => name.toLowerCase().replaceAll(".", "");

function link(desc: DescMessage | DescEnum): string {
  const method = desc.kind === "message" ? methodOf(desc) : undefined;
  if (method !== undefined) return `[${shortName(desc)}](${pageOf(method.parent)}#${anchor(method.name)})`;
  return `[${shortName(desc)}](${isOfError(desc) ? "errors.md" : "types.md"}#${anchor(shortName(desc))})`;
}

/** The method whose request or answer a message is. */
function methodOf({ typeName }: DescMessage): DescMethod | undefined {
  return unaryMethods.find(({ input, output }) => input.typeName === typeName || output.typeName === typeName);
}

const isOfError = (desc: DescMessage | DescEnum): boolean => /^Error(\.|$)/.test(shortName(desc));

/** Whether something is described on the page of types, rather than with its method or the errors. */
const isType = (desc: DescMessage | DescEnum): boolean => !isOfError(desc) && (desc.kind === "enum" || methodOf(desc) === undefined);

function typesPage({ messages, enums }: Contract): string {
  const sections = [...messages, ...enums].filter(isType).sort((a, b) => (shortName(a) < shortName(b) ? -1 : 1));
  return page("# Types", "What requests, answers and frames are made of.", ...sections.map(typeSection));
}

function typeSection(desc: DescMessage | DescEnum): string {
  if (desc.kind === "message") return [`## ${shortName(desc)}`, describeMessage(desc), fieldTable(desc)].join("\n\n");
  const rows = desc.values.map((value) => [`\`${value.name}\``, String(value.number), commentOf(value) || "Not said."]);
  return [`## ${shortName(desc)}`, commentOf(desc), table(["Value", "Number", ""], rows)].join("\n\n");
}

function errorsPage({ messages, enums }: Contract, refusals: readonly Refusal[]): string {
  const errors = messages.filter(isOfError);
  const codes = enums.filter((desc) => shortName(desc) === "Error.Code");
  const general =
    "A call may be refused with MALFORMED, INVALID_FIELDS, PAGE_TOKEN_INVALID, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, the reasons of UNAUTHENTICATED, ROLE_TOO_LOW and SCOPE_MISSING where its access says so, RATE_LIMITED, and the reasons of UNAVAILABLE, INTERNAL and DEADLINE_EXCEEDED.";
  const rows = refusals.map(({ reason, code, status, comment }) => [
    `<a id="${reason.toLowerCase()}"></a>\`${reason}\``,
    `\`${code}\``,
    String(status),
    comment,
  ]);
  const reasons = ["## Error.Reason", table(["Reason", "Code", "HTTP", ""], rows)];
  return page("# Errors", ...errors.map(typeSection), ...reasons, "## Every method", general, ...codes.map(typeSection));
}
