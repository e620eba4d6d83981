import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DescMessage } from "@bufbuild/protobuf";
import { accessOf, Code, codeOf, decodeJsonValue, httpRuleOf, Reason, services, unaryMethods, violationsOf } from "@parlor/contract";
import { readContract } from "../../../scripts/generate/contract.ts";
import { undocumented } from "../../../scripts/generate/documented.ts";
import { exampleOf } from "../../../scripts/generate/examples.ts";
import { allRefusals, refusalsOf } from "../../../scripts/generate/refusals.ts";

const root = join(import.meta.dirname, "../../..");
const contract = readContract(root);

test("every method declares who may call it, and every unary one its place in HTTP", () => {
  for (const service of services) for (const method of service.methods) assert.ok(accessOf(method).who > 0, method.name);
  const places = unaryMethods.map((method) => `${httpRuleOf(method)?.verb} ${httpRuleOf(method)?.path.replace(/\{\w+\}/g, "{}")}`);
  assert.ok(
    places.every((place) => /^(GET|POST|PUT|PATCH|DELETE) \/[a-z/{}]+$/.test(place)),
    places.join("\n"),
  );
  assert.equal(new Set(places).size, places.length);
});

test("what changes nothing is a GET, and every GET may be repeated", () => {
  for (const method of unaryMethods) {
    if (httpRuleOf(method)?.verb === "GET") assert.ok(accessOf(method).idempotent && !httpRuleOf(method)?.hasBody, method.name);
  }
});

test("every service of the proto files is in the list of services, and every declaration is documented", () => {
  assert.deepEqual(
    contract.services.map(({ typeName }) => typeName),
    services.map(({ typeName }) => typeName),
  );
  assert.deepEqual(undocumented(contract), []);
});

test("every reason has a code that is a refusal", () => {
  for (const { reason, code, status } of allRefusals(contract)) {
    assert.equal(Code[codeOf(Reason[reason as keyof typeof Reason])], code);
    assert.ok(status >= 400 && status < 600, reason);
  }
});

test("the refusals that comments name are reasons of the contract", () => {
  const all = allRefusals(contract);
  for (const service of contract.services) for (const method of service.methods) assert.ok(refusalsOf(method, all).length > 5, method.name);
});

test("the examples of requests keep the rules, and all examples fit their messages", () => {
  for (const method of contract.services.flatMap((service) => service.methods)) {
    const request = decodeJsonValue(method.input, exampleOf(method.input));
    assert.deepEqual(violationsOf(method.input, request), [], method.name);
    decodeJsonValue(method.output, exampleOf(method.output));
  }
});

test("openapi.json has an operation for every method", () => {
  const document = JSON.parse(readFileSync(join(root, "packages/contract/openapi.json"), "utf8")) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  for (const method of unaryMethods) {
    const { verb, path } = httpRuleOf(method) ?? assert.fail(method.name);
    assert.equal(document.paths[path]?.[verb.toLowerCase()]?.operationId, `${method.parent.name.replace("Service", "")}_${method.name}`);
  }
});

test("no message has a field that JSON or a query could confuse with another", () => {
  const collides = ({ fields }: DescMessage): boolean =>
    new Set(fields.flatMap(({ name, jsonName }) => [...new Set([name, jsonName])])).size !==
    fields.reduce((sum, { name, jsonName }) => sum + (name === jsonName ? 1 : 2), 0);
  assert.deepEqual(contract.messages.filter(collides).map(String), []);
});
