import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

/** The generated documents, as JSON text. */
export interface Documents {
  readonly openapi: string;
  readonly asyncapi: string;
}

const swaggerFiles = ["/swagger-ui.css", "/swagger-ui-bundle.js", "/favicon-32x32.png"];
const page = (name: string): string => readFileSync(new URL(`./pages/${name}`, import.meta.url), "utf8");

/** The pages for people and the documents for tools: `/`, `/docs/`, `/openapi.json`, `/asyncapi.json`. */
export async function addPages(app: FastifyInstance, documents: Documents): Promise<void> {
  const text = (path: string, type: string, content: string) =>
    app.get(path, (_request, reply) => reply.type(`${type}; charset=utf-8`).send(content));
  text("/", "text/html", page("index.html"));
  text("/openapi.json", "application/json", documents.openapi);
  text("/asyncapi.json", "application/json", documents.asyncapi);
  text("/docs/", "text/html", page("docs.html"));
  text("/docs/docs.js", "text/javascript", page("docs.js"));
  app.get("/docs", (_request, reply) => reply.redirect("/docs/", 308));
  await app.register(fastifyStatic, {
    root: dirname(fileURLToPath(import.meta.resolve("swagger-ui-dist/package.json"))),
    prefix: "/docs/",
    index: false,
    allowedPath: (path) => swaggerFiles.includes(path),
  });
}
