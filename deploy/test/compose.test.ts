// The Compose files against the Compose Specification, and against what holds for all of ours.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfig } from "../../packages/server/src/main/config.ts";
import { type ComposeFile, type ComposeService, composeFile, requiredVariables, schemaProblems } from "./support/compose.ts";
import { readText, root } from "./support/root.ts";
import { unknownSettings } from "./support/settings.ts";

const secrets = ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD"];
const filled = Object.fromEntries(secrets.map((name) => [name, `s3cret-of-${name.toLowerCase()}`]));

function isParlor({ build }: ComposeService): boolean {
  return build !== undefined;
}

/** The services of a file, with what they take over from another file's. */
function servicesOf({ services }: ComposeFile): [string, ComposeService][] {
  return Object.entries(services).map(([name, service]) => [name, { ...baseOf(service), ...service }]);
}

function baseOf({ extends: from }: ComposeService): ComposeService {
  if (!from?.file) return {};
  const base = composeFile(from.file, filled).services[from.service];
  assert.ok(base, `${from.file} has no ${from.service}`);
  return base;
}

for (const path of ["compose.yaml", "compose.services.yaml"]) {
  const file = composeFile(path, filled);
  const services = servicesOf(file);

  test(`${path} is what the Compose Specification says`, () => {
    assert.deepEqual(schemaProblems(file), []);
  });

  test(`${path} has no password of its own, and does not start without one`, () => {
    assert.deepEqual(
      requiredVariables(readText(path)).filter((name) => !secrets.includes(name)),
      [],
    );
    assert.throws(() => composeFile(path, {}), /PASSWORD: say it in the file \.env/);
    for (const [name, { environment = {} }] of services)
      for (const [variable, value] of Object.entries(environment))
        if (/PASSWORD$/.test(variable)) assert.ok(!value || value.includes("s3cret-of-"), `${name}: ${variable}`);
  });

  test(`${path} tells Parlor only what it understands, and all that it has to know`, () => {
    for (const [name, { environment = {} }] of services.filter(([, service]) => isParlor(service))) {
      assert.deepEqual(unknownSettings(Object.keys(environment)), [], name);
      assert.doesNotThrow(() => loadConfig(environment), name);
    }
  });

  test(`${path}: each service is healthy or not, restarts, cannot write to itself, and waits for what it needs`, () => {
    for (const [name, service] of services) {
      assert.ok(service.healthcheck, name);
      assert.ok(service.restart, name);
      assert.equal(service.read_only, true, name);
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        assert.ok(file.services[other], `${name} waits for ${other}`);
        assert.notEqual(condition, "service_started", `${name} waits for ${other}`);
        if (condition === "service_healthy") assert.ok(!baseOrOwn(services, other).healthcheck?.disable, `${name} waits for ${other}`);
      }
    }
  });

  test(`${path}: networks, volumes and secrets are declared, files are there, and ports are for this machine alone`, () => {
    for (const [name, service] of services) {
      for (const network of service.networks ?? []) assert.ok(network in (file.networks ?? {}), `${name}: ${network}`);
      for (const secret of service.secrets ?? []) assert.ok(file.secrets?.[secret], `${name}: ${secret}`);
      for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:/, name);
      for (const volume of service.volumes ?? []) {
        const [source = ""] = volume.split(":");
        if (source.startsWith(".")) assert.ok(existsSync(join(root, source)), `${name}: ${source}`);
        else assert.ok(source in (file.volumes ?? {}), `${name}: ${source}`);
      }
    }
  });
}

test("services apart: all are there, each knows where those are that it needs, and the gateway has no key to the database", () => {
  const services = servicesOf(composeFile("compose.services.yaml", filled)).filter(
    ([, { environment }]) => environment?.["PARLOR_SERVICES"],
  );
  const hosted = services.flatMap(([, { environment }]) => environment?.["PARLOR_SERVICES"]?.split(",") ?? []);
  assert.deepEqual(hosted.sort(), ["auth", "gateway", "messages", "realtime", "rooms", "users"]);
  for (const [name, { environment = {} }] of services) {
    const urls = Object.entries(environment).filter(([variable]) => /^PARLOR_\w+_URL$/.test(variable));
    for (const [, url] of urls)
      assert.ok(
        services.some(([other]) => other === new URL(url).hostname),
        url,
      );
    assert.equal("DB_PASSWORD" in environment, name !== "gateway", name);
  }
});

test("services apart with TLS: whoever is called has the certificate, and whoever calls checks it", () => {
  const [file, over] = ["compose.services.yaml", "compose.services-tls.yaml"].map((path) => composeFile(path, filled));
  assert.ok(file && over);
  assert.deepEqual(schemaProblems(over), []);
  const certified = /subjectAltName=(\S+)/.exec(readText("compose.services-tls.yaml"))?.[1]?.split(",") ?? [];
  for (const [name, { environment = {}, secrets: shown = [] }] of Object.entries(over.services)) {
    const env: Readonly<Record<string, string>> = { ...file.services[name]?.environment, ...environment };
    assert.deepEqual(unknownSettings(Object.keys(env)), [], name);
    assert.doesNotThrow(() => loadConfig(env), name);
    const urls = Object.entries(env).flatMap(([variable, url]) => (/^PARLOR_\w+_URL$/.test(variable) ? [new URL(url)] : []));
    for (const { protocol, hostname } of urls) assert.deepEqual([protocol, certified.includes(`DNS:${hostname}`)], ["https:", true], name);
    assert.equal("PARLOR_SERVICE_CA_FILE" in env, urls.length > 0, name);
    assert.equal("PARLOR_TLS_CERT_FILE" in env, certified.includes(`DNS:${name}`), name);
    const files = Object.entries(environment).flatMap(([variable, path]) => (/^PARLOR_(TLS|SERVICE_CA)_/.test(variable) ? [path] : []));
    for (const path of files) assert.ok(shown.includes(path.replace("/run/secrets/", "")), `${name}: ${path}`);
    for (const secret of shown) assert.ok(over.secrets?.[secret], secret);
  }
});

function baseOrOwn(services: readonly [string, ComposeService][], name: string): ComposeService {
  return services.find(([other]) => other === name)?.[1] ?? {};
}
