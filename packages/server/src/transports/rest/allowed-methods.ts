import type { FastifyInstance } from "fastify";

/** Keeps the routes that are added from now on, and tells which methods a path takes. */
export function collectMethods(app: FastifyInstance): (path: string) => readonly string[] {
  const routes: { readonly method: string; readonly path: RegExp }[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    for (const one of [method].flat()) if (one !== "OPTIONS") routes.push({ method: one, path: pattern(url) });
  });
  return (path) => [...new Set(routes.filter((route) => route.path.test(path)).map((route) => route.method))];
}

/** What a route's path matches: `:name` stands for one segment, `*` for the rest. */
function pattern(url: string): RegExp {
  const escaped = url.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll(/:\w+/g, "[^/]+")}$`);
}
