import type { ServiceName } from "../domain/service-names.ts";

/** A service that can be called from another process; nobody calls a gateway. */
export type RemoteName = Exclude<ServiceName, "gateway">;

/** What each part needs of the others. Beside this, all but the gateway share the database. */
const needs: { readonly [S in ServiceName]: readonly RemoteName[] } = {
  gateway: ["auth", "users", "rooms", "messages", "realtime"],
  auth: [],
  users: [],
  rooms: [],
  messages: [],
  // A stream begins with its user's account, and brings messages and read markers.
  realtime: ["users", "messages"],
};

/** The services that a process needs and does not host. */
export function servicesNeededBy(hosted: readonly ServiceName[]): readonly RemoteName[] {
  const needed = new Set(hosted.flatMap((name) => needs[name]));
  return [...needed].filter((name) => !hosted.includes(name));
}

/** Whether a process hosts every service. */
export function isWhole(hosted: readonly ServiceName[]): boolean {
  return hosted.length === Object.keys(needs).length;
}

/** Whether a process works with the Store: all but a gateway by itself. */
export function needsStore(hosted: readonly ServiceName[]): boolean {
  return hosted.some((name) => name !== "gateway");
}

interface ServicesSettings extends Readonly<Record<RemoteName, string | undefined>> {
  readonly hosted: readonly ServiceName[];
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
}

interface OtherSettings {
  readonly tls: { readonly certFile: string | undefined; readonly clientCaFile: string | undefined };
  readonly database: { readonly url: string | undefined; readonly host: string | undefined };
}

/** What is wrong with where the services are said to be, and with what they have in common. */
export function servicesProblems(services: ServicesSettings, others: OtherSettings): string[] {
  const { hosted, token, tokenFile } = services;
  const missing = servicesNeededBy(hosted).filter((name) => services[name] === undefined);
  const problems = missing.map(
    (name) => `PARLOR_${name.toUpperCase()}_URL must be set: this process does not host ${name}, and ${whoNeeds(name, hosted)} needs it.`,
  );
  if (token !== undefined && tokenFile !== undefined)
    problems.push("PARLOR_SERVICE_TOKEN and PARLOR_SERVICE_TOKEN_FILE say the same thing twice: keep one of them.");
  return isWhole(hosted) ? problems : [...problems, ...apartProblems(services, others)];
}

function apartProblems({ hosted, token, tokenFile }: ServicesSettings, { tls, database }: OtherSettings): string[] {
  const problems: string[] = [];
  // A gateway shows its own certificate; the others must be able to check one.
  const certificate = needsStore(hosted) ? tls.clientCaFile : tls.certFile;
  if (token === undefined && tokenFile === undefined && certificate === undefined)
    problems.push(
      "PARLOR_SERVICE_TOKEN or PARLOR_SERVICE_TOKEN_FILE must be set where services are apart: they would not know each other.",
    );
  if (database.url === undefined && database.host === undefined && sharesStore(hosted))
    problems.push("DATABASE_URL must be set where services are apart: they share one PostgreSQL database.");
  return problems;
}

/** Whether others work with the same Store. Where only the gateway is elsewhere, nobody does. */
function sharesStore(hosted: readonly ServiceName[]): boolean {
  return needsStore(hosted) && needs.gateway.some((name) => !hosted.includes(name));
}

function whoNeeds(name: RemoteName, hosted: readonly ServiceName[]): string {
  return hosted.find((one) => needs[one].includes(name)) ?? "";
}
