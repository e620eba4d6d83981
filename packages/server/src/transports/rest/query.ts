import { malformed } from "../errors.ts";

/**
 * The pairs of a query in their order, decoded. Unlike URLSearchParams it does not repair what is broken.
 * @throws ParlorError MALFORMED when a part is not percent-encoded UTF-8
 */
export function queryPairs(query: string): readonly (readonly [string, string])[] {
  if (query === "") return [];
  return query
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const equals = part.indexOf("=");
      return equals < 0 ? [decoded(part), ""] : [decoded(part.slice(0, equals)), decoded(part.slice(equals + 1))];
    });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw malformed("The query is not percent-encoded UTF-8.", cause);
  }
}
