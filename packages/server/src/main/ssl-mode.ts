// `sslmode`, as the driver of PostgreSQL acts on it: of other words it says nothing, and goes its own way.

/** From a URL. With libpq's meanings (`uselibpqcompat=true`) there is no `no-verify`. */
export const sslModes = ["disable", "no-verify", "prefer", "require", "verify-ca", "verify-full"] as const;

/** What is wrong with the `sslmode` of a database's URL; "" when nothing is. */
export function sslModeProblem({ searchParams }: URL): string {
  const mode = searchParams.getAll("sslmode").at(-1);
  const known = sslModes.filter((one) => one !== "no-verify" || searchParams.get("uselibpqcompat") !== "true");
  return mode === undefined || known.some((one) => one === mode) ? "" : `its sslmode must be one of ${known.join(", ")}`;
}
