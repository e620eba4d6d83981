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

interface ServicesSettings extends Readonly<Record<RemoteName, string | undefined>> {
  readonly hosted: readonly ServiceName[];
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
}

/** What is wrong with where the services are said to be. */
export function servicesProblems(services: ServicesSettings): string[] {
  const missing = servicesNeededBy(services.hosted).filter((name) => services[name] === undefined);
  const problems = missing.map(
    (name) =>
      `PARLOR_${name.toUpperCase()}_URL must be set: this process does not host ${name}, and ${whoNeeds(name, services.hosted)} it.`,
  );
  if (services.token !== undefined && services.tokenFile !== undefined) {
    problems.push("PARLOR_SERVICE_TOKEN and PARLOR_SERVICE_TOKEN_FILE say the same thing twice: keep one of them.");
  }
  const apart = services.hosted.length < Object.keys(needs).length;
  if (apart && services.token === undefined && services.tokenFile === undefined) {
    problems.push(
      "PARLOR_SERVICE_TOKEN or PARLOR_SERVICE_TOKEN_FILE must be set when PARLOR_SERVICES is: services would not know each other.",
    );
  }
  return problems;
}

function whoNeeds(name: RemoteName, hosted: readonly ServiceName[]): string {
  return `${hosted.find((one) => needs[one].includes(name))} needs`;
}
