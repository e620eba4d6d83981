/** Who is in a room, as a generator's clients need to know it. */
export interface Seed {
  readonly roomId: string;
  /** An API token of each member; tokens of sessions would expire during a long run. */
  readonly tokens: readonly string[];
}

const AT_ONCE = 8;
const PASSWORD = "a bench of members 4711";

/** Makes so many accounts, all members of one public room, through the REST API of a running server. */
export async function seed(port: number, members: number): Promise<Seed> {
  const call = caller(`http://127.0.0.1:${port}/api/v1`);
  const owner = await signUp(call, 0);
  const { room } = await call<{ room: { id: string } }>("/rooms", { name: "Bench", visibility: "PUBLIC" }, owner);
  const tokens = [await apiToken(call, owner)];
  const others = Array.from({ length: members - 1 }, (_, index) => index + 1).values();
  const join = async (): Promise<void> => {
    for (const member of others) {
      const session = await signUp(call, member);
      await call(`/rooms/${room.id}/join`, {}, session);
      tokens[member] = await apiToken(call, session);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, join));
  return { roomId: room.id, tokens };
}

export type Call = <Answer>(path: string, body: object, token?: string) => Promise<Answer>;

export function caller(base: string): Call {
  return async (path, body, token) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${base}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...authorization },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as never;
  };
}

export async function signUp(call: Call, member: number): Promise<string> {
  const body = { username: `member-${member}`, password: PASSWORD };
  return (await call<{ tokens: { accessToken: string } }>("/auth/signup", body)).tokens.accessToken;
}

export async function apiToken(call: Call, session: string): Promise<string> {
  return (await call<{ token: string }>("/auth/tokens", { name: "bench", scopes: ["READ", "WRITE"] }, session)).token;
}
