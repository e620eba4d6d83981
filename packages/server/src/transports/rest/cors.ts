import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";
import type { AllowedOrigins } from "../origins.ts";

/** Which pages may read answers, and what a browser may do with them. */
export async function addBrowserRules(app: FastifyInstance, origins: AllowedOrigins): Promise<void> {
  await app.register(cors, {
    delegator: (request, done) => {
      const { origin, host } = request.headers;
      const allowed = origin !== undefined && origins.allows(origin, host);
      done(null, {
        origin: allowed ? origin : false,
        // There are no cookies: who calls is told by the Authorization header alone.
        credentials: false,
        methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allowedHeaders: ["authorization", "content-type", "x-request-id"],
        exposedHeaders: ["x-request-id", "retry-after"],
        maxAge: 3600,
        strictPreflight: false,
      });
    },
  });
  await app.register(helmet, {
    // Swagger UI styles its elements in place and shows its icons from data URLs.
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        baseUri: ["'none'"],
        objectSrc: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", "data:"],
        styleSrc: ["'self'", "'unsafe-inline'"],
      },
    },
    // Other origins are told apart by CORS.
    crossOriginResourcePolicy: { policy: "cross-origin" },
    // Whether there is TLS in front of the server is known to whoever put it there.
    strictTransportSecurity: false,
  });
}
