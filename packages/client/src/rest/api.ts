import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { AuthService, MessagesService, PresenceService, RoomsService, UsersService } from "@parlor/contract";
import { newKey } from "../keys.ts";
import type { CallOptions } from "./exchange.ts";
import type { Rest } from "./rest.ts";

/** The methods of a service that answer one request with one response, as functions. */
export type ServiceClient<S extends DescService> = {
  readonly [K in keyof S["method"] as S["method"][K]["methodKind"] extends "unary" ? K : never]: (
    request?: MessageInitShape<S["method"][K]["input"]>,
    options?: CallOptions,
  ) => Promise<MessageShape<S["method"][K]["output"]>>;
};

/** Every service of the contract that can be called over REST. */
export interface Api {
  /** Tokens in its answers are not kept by the client; its own `signUp`, `logIn` and `logOut` do that. */
  readonly auth: ServiceClient<typeof AuthService>;
  readonly users: ServiceClient<typeof UsersService>;
  readonly rooms: ServiceClient<typeof RoomsService>;
  readonly messages: ServiceClient<typeof MessagesService>;
  readonly presence: ServiceClient<typeof PresenceService>;
}

/** The functions of every service, made from its description in the contract. */
export function makeApi(rest: Rest): Api {
  return {
    auth: serviceClient(AuthService, rest),
    users: serviceClient(UsersService, rest),
    rooms: serviceClient(RoomsService, rest),
    messages: { ...serviceClient(MessagesService, rest), sendMessage: keyedSend(rest) },
    presence: serviceClient(PresenceService, rest),
  };
}

/** A send without a key could not be tried again: the repeat would be another message. */
function keyedSend(rest: Rest): Api["messages"]["sendMessage"] {
  return (request = {}, options) =>
    rest.call(MessagesService.method.sendMessage, { ...request, clientMessageId: request.clientMessageId || newKey() }, options);
}

function serviceClient<S extends DescService>(service: S, rest: Rest): ServiceClient<S> {
  const unary = service.methods.filter((method) => method.methodKind === "unary");
  return Object.fromEntries(unary.map((method) => [method.localName, methodClient(method, rest)])) as ServiceClient<S>;
}

function methodClient(method: DescMethod, rest: Rest) {
  return (request: MessageInitShape<typeof method.input> = {}, options?: CallOptions) => rest.call(method, request, options);
}
