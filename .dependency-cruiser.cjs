// One-way imports, as ARCHITECTURE.md draws them.
const server = "^packages/server/src/";

/** A folder of the server may import itself, the packages that npm brings, and these. */
function only(folder, ...allowed) {
  const names = [folder, ...allowed].join("|");
  return {
    name: `${folder}-imports`,
    comment: `${folder} imports only ${allowed.join(", ") || "nothing of the server"}.`,
    severity: "error",
    from: { path: `${server}${folder}/` },
    to: { path: server, pathNot: `${server}(${names})/` },
  };
}

/** Within transports, the protocols do not know each other. */
function apart(protocol) {
  return {
    name: `${protocol}-apart`,
    comment: "Transports share what stands in transports/, and never import each other.",
    severity: "error",
    from: { path: `${server}transports/${protocol}/` },
    to: { path: `${server}transports/[^/]+/`, pathNot: `${server}transports/${protocol}/` },
  };
}

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    only("domain"),
    only("ports", "domain"),
    only("engines", "ports"),
    only("store", "domain", "ports"),
    only("log", "domain", "ports", "store"),
    only("realtime", "domain", "ports", "store", "log"),
    only("services", "domain", "ports", "store", "log", "realtime"),
    only("transports", "domain", "ports", "realtime", "services"),
    apart("grpc"),
    apart("rest"),
    apart("websocket"),
    apart("mqtt"),
    {
      name: "transports-see-interfaces",
      comment: "Transports call services through services/api.ts.",
      severity: "error",
      from: { path: `${server}transports/` },
      to: { path: `${server}services/`, pathNot: `${server}services/(api|faults)[.]ts$` },
    },
    {
      name: "drivers-in-engines",
      comment: "Only engines know their drivers.",
      severity: "error",
      from: { path: `${server}`, pathNot: `${server}engines/` },
      to: { path: "node_modules/(pg|@electric-sql/pglite|@redis/client)/" },
    },
    {
      name: "contract-alone",
      severity: "error",
      from: { path: "^packages/contract/src/" },
      to: { path: "^packages/(server|client|cli)/" },
    },
    {
      name: "client-needs-the-contract",
      severity: "error",
      from: { path: "^packages/client/src/" },
      to: { path: "^packages/(server|cli)/" },
    },
    {
      name: "client-runs-in-browsers",
      severity: "error",
      from: { path: "^packages/(client|contract)/src/" },
      to: { dependencyTypes: ["core"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    exclude: { path: "packages/contract/src/gen/" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"], extensions: [".ts", ".js"] },
  },
};
