import { Code, ParlorError, Reason } from "@parlor/contract";
import type { FastifyInstance } from "fastify";

/** Reads JSON bodies as bytes, which the method's own decoder takes, and no other bodies. */
export function addBodyParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers["content-type"] ?? "")?.[1]?.toLowerCase();
    if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") done(unsupportedMediaType());
    else done(null, body);
  });
}

export function unsupportedMediaType(): ParlorError {
  return new ParlorError(Code.INVALID_ARGUMENT, Reason.UNSUPPORTED_MEDIA_TYPE, "The content type must be application/json, in UTF-8.");
}
