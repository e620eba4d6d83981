import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  type Access,
  Access_Limit,
  Access_Scope,
  Access_Who,
  AuthService,
  accessOf,
  Code,
  invalidFields,
  ParlorError,
  Reason,
  type ServiceImpl,
  violationsOf,
} from "@parlor/contract";
import { addressKey } from "../domain/addresses.ts";
import type { Call, Caller, Protocol } from "../domain/call.ts";
import type { Allowance, RateLimiter } from "../domain/rate-limits.ts";
import { denied, exhausted, unauthenticated } from "../domain/refusals.ts";
import type { SecurityLog } from "../domain/security-log.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Tracing } from "../ports/tracing.ts";
import type { Calls } from "../realtime/calls.ts";
import type { Api } from "./api.ts";
import { asParlorError } from "./faults.ts";
import { traceCall } from "./traced-call.ts";

/** A service of the contract with the object that carries it out. */
export interface Hosted {
  readonly service: DescService;
  readonly implementation: object;
}

export function hosted<S extends DescService>(service: S, implementation: ServiceImpl<S, Call>): Hosted {
  return { service, implementation };
}

export interface DispatcherOptions {
  readonly verify: (token: string) => Promise<Caller>;
  readonly limiter: RateLimiter;
  /** Left out when rates are not limited. */
  readonly allowances?: { readonly calls: Allowance; readonly sends: Allowance; readonly signUps: Allowance; readonly logIns: Allowance };
  readonly securityLog: SecurityLog;
  readonly metrics: Metrics;
  /** Left out where traces are off. */
  readonly tracing?: Tracing | undefined;
}

interface Route {
  readonly name: string;
  readonly access: Access;
  /** Whether services may call it for themselves. */
  readonly forServices: boolean;
  readonly run: (request: Message, call: Call) => Promise<object>;
}

/** Whether another service may ask it for itself, and not only pass it on. */
function isForServices(method: DescMethod): boolean {
  return method === AuthService.method.verifyToken || accessOf(method).who === Access_Who.SERVICE;
}

/** The one door to every method: rules of the contract, access and limits are enforced here, for all protocols alike. */
export class Dispatcher implements Api, Calls {
  readonly #options: DispatcherOptions;
  readonly #routes = new Map<DescMethod, Route>();

  constructor(options: DispatcherOptions, services: readonly Hosted[]) {
    this.#options = options;
    for (const { service, implementation } of services) {
      for (const method of service.methods) if (method.methodKind === "unary") this.#routes.set(method, routeOf(method, implementation));
    }
  }

  async authenticate(
    token: string | undefined,
    _origin: { readonly protocol: Protocol; readonly address: string },
  ): Promise<Caller | undefined> {
    if (token === undefined || token === "") return undefined;
    try {
      return await this.#options.verify(token);
    } catch (error) {
      throw asParlorError(error);
    }
  }

  call(method: DescMethod, request: Message, call: Call): Promise<Message> {
    const { tracing } = this.#options;
    if (tracing === undefined) return this.#answer(method, request, call);
    return traceCall(tracing, method, call, (traced) => this.#answer(method, request, traced));
  }

  async #answer(method: DescMethod, request: Message, call: Call): Promise<Message> {
    const start = performance.now();
    const route = this.#routes.get(method);
    const name = route?.name ?? nameOf(method);
    try {
      if (!route) throw new ParlorError(Code.UNIMPLEMENTED, Reason.NO_SUCH_METHOD, `This server does not host ${name}.`);
      this.#authorize(route, call);
      if (!call.forwarded) this.#limit(route.access.limit, call);
      check(method.input, request);
      const response = await route.run(request, call);
      this.#options.metrics.called(name, call.protocol, Code.OK, performance.now() - start);
      return create(method.output, response as MessageInitShape<DescMessage>);
    } catch (thrown) {
      const error = asParlorError(thrown);
      this.#options.metrics.called(name, call.protocol, error.code, performance.now() - start);
      throw error;
    }
  }

  admit<S extends DescMessage>(schema: S, message: MessageShape<S>, caller: Caller): void {
    const { allowances } = this.#options;
    if (allowances) this.#take(`calls ${caller.userId}`, allowances.calls);
    check(schema, message);
  }

  #authorize({ access, forServices, name }: Route, call: Call): void {
    if (access.who === Access_Who.ANYONE) return;
    if (forServices && call.forwarded && call.protocol === "internal") return;
    const { caller } = call;
    if (!caller) throw unauthenticated(Reason.TOKEN_MISSING, "Sign in first: no token was given.");
    const refusal = refusalOf(access, caller);
    if (!refusal) return;
    const { userId, sessionId } = caller;
    const { address, protocol, requestId } = call;
    this.#options.securityLog.record({ event: "access_denied", userId, sessionId, address, protocol, requestId, detail: name });
    throw refusal;
  }

  #limit(limit: Access_Limit, { caller, address }: Call): void {
    const { allowances } = this.#options;
    if (!allowances) return;
    // Failures are counted per account where passwords are checked; here, that nobody keeps all the hashing to themselves.
    if (limit === Access_Limit.LOG_IN) this.#take(`log-ins ${addressKey(address)}`, allowances.logIns);
    else if (limit === Access_Limit.SIGN_UP) this.#take(`sign-ups ${addressKey(address)}`, allowances.signUps);
    else if (limit === Access_Limit.SEND && caller) this.#take(`sends ${caller.userId}`, allowances.sends);
    else this.#take(`calls ${caller?.userId ?? addressKey(address)}`, allowances.calls);
  }

  #take(key: string, allowance: Allowance): void {
    const waitMs = this.#options.limiter.take(key, allowance);
    if (waitMs > 0) throw exhausted(Reason.RATE_LIMITED, "Too many calls; wait a moment.", waitMs);
  }
}

function routeOf(method: DescMethod, implementation: object): Route {
  const run = (implementation as Record<string, Route["run"] | undefined>)[method.localName];
  if (!run) throw new Error(`${method.parent.name} does not implement ${method.name}.`);
  return { name: nameOf(method), access: accessOf(method), forServices: isForServices(method), run: run.bind(implementation) };
}

function nameOf({ parent, name }: DescMethod): string {
  return `${parent.name}.${name}`;
}

/** Why a caller may not call a method; roles and scopes are numbered alike in the contract's two enums, one apart. */
function refusalOf({ who, scope }: Access, { role, scopes }: Caller): ParlorError | undefined {
  if (role < who - Access_Who.GUEST + 1) return denied(Reason.ROLE_TOO_LOW, "Your role does not allow this.");
  if (!scopes || scope === Access_Scope.ANY) return undefined;
  if (scope === Access_Scope.SESSION_ONLY) return denied(Reason.SCOPE_MISSING, "API tokens may not do this: log in with a password.");
  const needed = scope - Access_Scope.READ + 1;
  return scopes.has(needed) ? undefined : denied(Reason.SCOPE_MISSING, `This API token lacks the scope ${Access_Scope[scope]}.`);
}

function check<S extends DescMessage>(schema: S, message: MessageShape<S>): void {
  const violations = violationsOf(schema, message);
  if (violations.length > 0) throw invalidFields(...violations);
}
