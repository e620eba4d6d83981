import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { MqttSessionsService } from "./gen/parlor/internal/v1/mqtt_sessions_pb.js";
import { AuthService } from "./gen/parlor/v1/auth_pb.js";
import { MessagesService } from "./gen/parlor/v1/messages_pb.js";
import { PresenceService } from "./gen/parlor/v1/presence_pb.js";
import { RealtimeService } from "./gen/parlor/v1/realtime_pb.js";
import { RoomsService } from "./gen/parlor/v1/rooms_pb.js";
import { UsersService } from "./gen/parlor/v1/users_pb.js";

/** Every service of the contract. */
export const services = [AuthService, UsersService, RoomsService, MessagesService, PresenceService, RealtimeService] as const;

/** What parts of the server ask of each other beside the contract, and nobody else may ask. */
export const internalServices = [MqttSessionsService] as const;

/** Every method that answers one request with one response. */
export const unaryMethods: readonly DescMethod[] = services.flatMap((service: DescService) =>
  service.methods.filter((method) => method.methodKind === "unary"),
);

/** The methods of a service as functions: `C` is what the server tells them of the call. */
export type ServiceImpl<S extends DescService, C> = {
  readonly [K in keyof S["method"] as S["method"][K]["methodKind"] extends "unary" ? K : never]: (
    request: MessageShape<S["method"][K]["input"]>,
    call: C,
  ) => Promise<MessageInitShape<S["method"][K]["output"]>>;
};
