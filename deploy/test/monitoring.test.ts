// Prometheus' configuration and Grafana's dashboard: every expression is PromQL, and asks for metrics that the server has.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { createMetrics } from "../../packages/server/src/main/metrics.ts";
import { readText } from "./support/root.ts";

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}

interface Panel {
  readonly title: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const { groups } = parse(readText("deploy/prometheus/alerts.yml")) as { readonly groups: readonly { readonly rules: readonly Alert[] }[] };
const alerts = groups.flatMap(({ rules }) => rules);
const dashboard = JSON.parse(readText("deploy/grafana/parlor.json")) as Dashboard;

/** Names of metrics and of labels in an expression. @throws AssertionError when it is no PromQL */
function namesIn(expression: string): { readonly metrics: string[]; readonly labels: string[] } {
  // What Grafana puts in for its own variable.
  const text = expression.replaceAll("$__rate_interval", "1m");
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(text).iterate({
    enter({ type, from, to, node }) {
      assert.ok(!type.isError, `not PromQL at ${from}: ${text}`);
      if (type.name === "Identifier" && node.parent?.name === "VectorSelector") metrics.push(text.slice(from, to));
      if (type.name === "LabelName") labels.push(text.slice(from, to));
    },
  });
  return { metrics, labels };
}

/** Every metric's name, as a scrape has it (those of a histogram are three): docs/metrics.md has ours, the library its own. */
async function known(): Promise<Set<string>> {
  const ours = [...readText("docs/metrics.md").matchAll(/^\| `(\w+)` \| (\w+) \|/gm)];
  const library = [...(await createMetrics().render()).matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  const names = [...ours, ...library].flatMap(([, name = "", type]) =>
    type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
  );
  return new Set([...names, "up"]);
}

async function assertKnown(expressions: readonly string[]): Promise<void> {
  const names = await known();
  for (const expression of expressions) {
    const { metrics } = namesIn(expression);
    assert.ok(metrics.length > 0, expression);
    for (const metric of metrics) assert.ok(names.has(metric), `the server has no ${metric}: ${expression}`);
  }
}

test("the alerts ask for metrics that there are, and say what is wrong", async () => {
  assert.ok(alerts.length >= 8);
  await assertKnown(alerts.map(({ expr }) => expr));
  for (const { alert, annotations } of alerts) assert.ok(annotations.summary.length > 20, alert);
});

test("the dashboard asks for metrics that there are", async () => {
  await assertKnown(dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)));
  const queries = dashboard.templating.list.flatMap(({ definition = "" }) => /label_values\((\w+)/.exec(definition)?.[1] ?? []);
  await assertKnown(queries);
});

test("the panels of the dashboard do not lie upon each other", () => {
  for (const [index, a] of dashboard.panels.entries())
    for (const b of dashboard.panels.slice(index + 1)) assert.ok(!overlap(a, b), `${a.title}, ${b.title}`);
});

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

test("Prometheus finds the nodes of compose.yaml, and Grafana finds Prometheus", () => {
  const config = parse(readText("deploy/prometheus/prometheus.yml")) as {
    readonly rule_files: readonly string[];
    readonly scrape_configs: readonly [{ readonly static_configs: readonly [{ readonly targets: readonly string[] }] }];
  };
  const { services } = parse(readText("compose.yaml"), { merge: true }) as { readonly services: Readonly<Record<string, object>> };
  for (const target of config.scrape_configs[0].static_configs[0].targets) assert.ok((target.split(":")[0] ?? "") in services, target);
  assert.deepEqual(config.rule_files, ["alerts.yml"]);
  const sources = parse(readText("deploy/grafana/provisioning/datasources/prometheus.yaml")) as {
    readonly datasources: readonly { readonly url: string }[];
  };
  assert.deepEqual(
    sources.datasources.map(({ url }) => url),
    ["http://prometheus:9090"],
  );
  assert.ok("prometheus" in services);
});
