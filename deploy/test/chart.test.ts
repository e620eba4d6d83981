// The Helm chart, rendered by Helm for several sets of values, against Kubernetes' schemas and what holds for all of our pods.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parse } from "yaml";
import { services as contract } from "../../packages/contract/src/index.ts";
import { helm, noHelm } from "./support/helm.ts";
import { compileManifests, type Manifest, manifestsOf, validateManifests } from "./support/manifests.ts";
import { type Container, plainEnv, podOf, selects } from "./support/pods.ts";
import { readText, root } from "./support/root.ts";
import { unknownSettings, wrongSettings } from "./support/settings.ts";

if (process.env["CI"]) assert.equal(noHelm, false);

const chart = join(root, "deploy/kubernetes/parlor");
const folder = mkdtempSync(join(tmpdir(), "parlor-chart-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const everything = {
  existingSecret: "parlor",
  image: { repository: "registry.example.org/parlor", tag: "1.2.3", pullPolicy: "Always" },
  imagePullSecrets: [{ name: "registry" }],
  config: { PARLOR_PUBLIC_URL: "https://chat.example.org", PARLOR_TRUSTED_PROXIES: "10.0.0.0/8", PARLOR_SIGN_UP: "off" },
  envFrom: [{ configMapRef: { name: "more" } }],
  autoscaling: { enabled: true },
  ingress: { enabled: true, certManager: { clusterIssuer: "letsencrypt" } },
  metrics: { serviceMonitor: { enabled: true, labels: { release: "prometheus" } } },
  networkPolicy: { enabled: true },
  podAnnotations: { "example.org/a": "b" },
  podLabels: { team: "chat" },
  nodeSelector: { disk: "fast" },
  tolerations: [{ key: "chat", operator: "Exists" }],
  affinity: { nodeAffinity: {} },
  priorityClassName: "high",
};

/** The values that docs/deploying.md shows. */
const documented = parse(/^```yaml\n(.*?)^```$/ms.exec(readText("docs/deploying.md"))?.[1] ?? "") as object;

const sets: Readonly<Record<string, object>> = {
  "the documented values": documented,
  least: { existingSecret: "parlor" },
  everything: { ...everything, tls: { existingSecret: "inside" }, signingKey: { existingSecret: "key" } },
  "services apart": { ...everything, services: { mode: "apart" } },
  "services apart with TLS": { ...everything, services: { mode: "apart" }, tls: { existingSecret: "inside" } },
  "services apart with certificates": {
    ...everything,
    services: { mode: "apart", trust: "certificate" },
    tls: { existingSecret: "inside" },
  },
  "little of it": {
    existingSecret: "parlor",
    replicas: 1,
    podDisruptionBudget: { enabled: false },
    migrations: { job: false },
    metrics: { enabled: false },
    serviceAccount: { create: false, name: "other" },
  },
};

function render(values: object): Manifest[] {
  const file = join(folder, "values.json");
  writeFileSync(file, JSON.stringify(values));
  return manifestsOf(helm("template", "chat", chart, "--namespace", "chat", "--values", file));
}

function ofKind(manifests: readonly Manifest[], kind: string): Manifest[] {
  return manifests.filter((manifest) => manifest.kind === kind);
}

test("Helm's own checks find nothing", { skip: noHelm }, () => {
  helm("lint", "--strict", chart, "--set", "existingSecret=parlor");
});

test("values that cannot be right are refused", { skip: noHelm }, () => {
  assert.throws(() => render({}), /existingSecret: name a Secret/);
  assert.throws(() => render({ existingSecret: "a", replicaCount: 3 }), /replicaCount/);
  assert.throws(() => render({ existingSecret: "a", config: { PARLOR_SERVICE_TOKEN: "secret" } }), /PARLOR_SERVICE_TOKEN/);
  assert.throws(() => render({ existingSecret: "a", services: { mode: "apart", trust: "certificate" } }), /certificate/);
  assert.throws(() => render({ existingSecret: "a", autoscaling: { enabled: true, cpu: 0, connections: 0 } }), /autoscaling/);
});

test("what Kubernetes would not take is found", async () => {
  const service = (spec: Manifest["spec"] & object): Manifest => ({ apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec });
  assert.match(compileManifests([service({ prots: [] })]), /'"prots"' does not exist/);
  await assert.rejects(validateManifests([service({ ports: [{ port: "80" }] })]), /Service a: .*port/);
  await assert.rejects(validateManifests([{ ...service({}), apiVersion: "v2" }]));
});

for (const [name, values] of Object.entries(sets)) {
  test(`${name}: Kubernetes would take it`, { skip: noHelm }, async () => {
    const manifests = render(values);
    await validateManifests(manifests);
    assert.equal(compileManifests(manifests), "");
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.equal(new Set(names).size, names.length);
  });

  test(`${name}: pods may do nothing but serve, and say how they are`, { skip: noHelm }, () => {
    for (const manifest of render(values)) {
      const pod = podOf(manifest);
      if (!pod) continue;
      const where = `${manifest.kind} ${manifest.metadata.name}`;
      assert.equal(pod.spec.automountServiceAccountToken, false, where);
      assert.equal(pod.spec.enableServiceLinks, false, where);
      assert.equal(pod.spec.securityContext?.runAsNonRoot, true, where);
      assert.equal(pod.spec.securityContext?.seccompProfile?.type, "RuntimeDefault", where);
      for (const container of pod.spec.containers) assertContainer(container, where);
      if (manifest.kind === "Deployment") for (const container of pod.spec.containers) assertServer(container, where);
    }
  });

  test(`${name}: Services, budgets and the autoscaler find what they speak of`, { skip: noHelm }, () => {
    const manifests = render(values);
    const deployments = ofKind(manifests, "Deployment");
    const pods = deployments.map((manifest) => podOf(manifest));
    for (const { kind, metadata, spec } of [...ofKind(manifests, "Service"), ...ofKind(manifests, "PodDisruptionBudget")]) {
      const selector = spec?.["selector"] as Readonly<Record<string, string>> & { readonly matchLabels?: Readonly<Record<string, string>> };
      const found = pods.filter((pod) => pod && selects(selector.matchLabels ?? selector, pod.metadata.labels));
      assert.equal(found.length, 1, `${kind} ${metadata.name}`);
    }
    for (const { spec } of ofKind(manifests, "HorizontalPodAutoscaler")) {
      const { scaleTargetRef } = spec as { readonly scaleTargetRef: { readonly name: string } };
      const scaled = deployments.find(({ metadata }) => metadata.name === scaleTargetRef.name);
      assert.ok(scaled, scaleTargetRef.name);
      assert.ok(!("replicas" in (scaled.spec ?? {})), "who scales it, says how many");
    }
  });
}

function assertContainer(container: Container, where: string): void {
  assert.equal(container.securityContext?.allowPrivilegeEscalation, false, where);
  assert.equal(container.securityContext?.readOnlyRootFilesystem, true, where);
  assert.deepEqual(container.securityContext?.capabilities?.drop, ["ALL"], where);
  assert.ok(container.resources?.requests?.["cpu"] && container.resources.limits?.["memory"], where);
  const names = (container.env ?? []).map(({ name }) => name);
  assert.deepEqual(unknownSettings(names), [], where);
  assert.equal(new Set(names).size, names.length, where);
  assert.deepEqual(wrongSettings(plainEnv(container)), [], where);
  for (const path of ["/tmp", "/data"])
    assert.ok(
      container.volumeMounts?.some(({ mountPath }) => mountPath === path),
      `${where}: ${path}`,
    );
}

function assertServer({ startupProbe, livenessProbe, readinessProbe, ports = [] }: Container, where: string): void {
  for (const probe of [startupProbe, livenessProbe]) assert.equal(probe?.httpGet?.path, "/healthz", where);
  assert.equal(readinessProbe?.httpGet?.path, "/readyz", where);
  for (const probe of [startupProbe, livenessProbe, readinessProbe])
    assert.ok(
      ports.some(({ name }) => name === probe?.httpGet?.port && name === probe.httpGet.scheme?.toLowerCase()),
      where,
    );
}

test("a pod has time to drain after it was told to stop, and goes on while the cluster takes notice", { skip: noHelm }, () => {
  const [deployment] = ofKind(render({ existingSecret: "parlor", drainSeconds: 90 }), "Deployment");
  assert.ok(deployment);
  const pod = podOf(deployment)?.spec;
  const [container] = pod?.containers ?? [];
  assert.ok(container);
  assert.equal(plainEnv(container)["PARLOR_DRAIN_TIME"], "90s");
  const [command, seconds] = container.lifecycle?.preStop?.exec?.command ?? [];
  assert.equal(command, "sleep");
  assert.ok((pod?.terminationGracePeriodSeconds ?? 0) > 90 + Number(seconds));
  const { strategy } = deployment.spec as { readonly strategy: { readonly rollingUpdate: object } };
  assert.deepEqual(strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
});

test("the Ingress for gRPC has every service of the contract, and none has /metrics", { skip: noHelm }, () => {
  const ingresses = ofKind(render(sets["everything"] as object), "Ingress");
  const pathsOf = ({ spec }: Manifest): string[] => {
    const { rules } = spec as { readonly rules: readonly [{ readonly http: { readonly paths: readonly { readonly path: string }[] } }] };
    return rules[0].http.paths.map(({ path }) => path);
  };
  const services = contract.map(({ typeName }) => `/${typeName}`);
  assert.ok(services.length > 3);
  const grpc = ingresses.find(({ metadata }) => metadata.annotations?.["nginx.ingress.kubernetes.io/backend-protocol"] === "GRPCS");
  assert.ok(grpc);
  for (const service of services) assert.ok(pathsOf(grpc).includes(service), service);
  for (const ingress of ingresses) {
    assert.ok(!pathsOf(ingress).includes("/metrics"));
    assert.equal(ingress.metadata.annotations?.["cert-manager.io/cluster-issuer"], "letsencrypt");
  }
});

test("services apart: each knows where those are that it needs, and the gateway has no key to the database", { skip: noHelm }, () => {
  const manifests = render(sets["services apart"] as object);
  const names = ofKind(manifests, "Service").map(({ metadata }) => metadata.name);
  const hosted: string[] = [];
  for (const deployment of ofKind(manifests, "Deployment")) {
    const [container] = podOf(deployment)?.spec.containers ?? [];
    assert.ok(container);
    const env = plainEnv(container);
    hosted.push(...(env["PARLOR_SERVICES"] ?? "").split(","));
    for (const [name, value] of Object.entries(env))
      if (/_URL$/.test(name) && name !== "PARLOR_PUBLIC_URL") assert.ok(names.includes(new URL(value).hostname), value);
    assert.equal(
      container.env?.some(({ name }) => name === "DATABASE_URL"),
      env["PARLOR_SERVICES"] !== "gateway",
    );
  }
  assert.deepEqual(hosted.sort(), ["auth", "gateway", "messages", "realtime", "rooms", "users"]);
});

for (const [name, trust] of [
  ["services apart with TLS", "token"],
  ["services apart with certificates", "certificate"],
] as const) {
  test(`${name}: each has the certificate, checks that of others, and knows them by the ${trust}`, { skip: noHelm }, () => {
    for (const { spec } of ofKind(render(sets[name] as object), "Deployment")) {
      const pod = podOf({ spec } as Manifest)?.spec;
      const [container] = pod?.containers ?? [];
      assert.ok(container);
      const env = plainEnv(container);
      const where = env["PARLOR_SERVICES"] ?? "";
      const mount = container.volumeMounts?.find(({ name: volume }) => volume === "tls")?.mountPath ?? "";
      assert.ok(mount && pod?.volumes?.some(({ name: volume }) => volume === "tls"), where);
      assert.equal(env["PARLOR_TLS_CERT_FILE"], `${mount}/tls.crt`, where);
      assert.equal(env["PARLOR_TLS_KEY_FILE"], `${mount}/tls.key`, where);
      assert.equal(env["PARLOR_SERVICE_CA_FILE"], `${mount}/ca.crt`, where);
      for (const variable of Object.keys(env).filter((one) => /_URL$/.test(one))) assert.match(env[variable] ?? "", /^https:/, where);
      assert.equal(container.env?.some((one) => one.name === "PARLOR_SERVICE_TOKEN") ?? false, trust === "token", where);
      const asks = trust === "certificate" && where !== "gateway";
      assert.equal(env["PARLOR_TLS_CLIENT_CA_FILE"], asks ? `${mount}/ca.crt` : undefined, where);
    }
  });
}

test("the documented certificate is for the names by which services are called", { skip: noHelm }, () => {
  const documents = [...readText("docs/deploying.md").matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => parse(text ?? "") as Manifest);
  const certificate = documents.find(({ kind }) => kind === "Certificate");
  const release = manifestsOf(helm("template", "parlor", chart, "--set", "existingSecret=parlor,services.mode=apart"));
  const names = ofKind(release, "Service").map(({ metadata }) => metadata.name);
  assert.deepEqual((certificate?.spec?.["dnsNames"] as string[] | undefined)?.toSorted(), names.sort());
});

test("the chart's version is that of the packages", () => {
  const { version } = JSON.parse(readText("packages/server/package.json")) as { readonly version: string };
  assert.match(readText("deploy/kubernetes/parlor/Chart.yaml"), new RegExp(`^appVersion: ${version.replaceAll(".", "\\.")}$`, "m"));
  assert.match(readText("Dockerfile"), new RegExp(`^ARG VERSION=${version.replaceAll(".", "\\.")}$`, "m"));
});
