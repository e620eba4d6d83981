// Parlor's client for browsers and Node.

// What the client's types are made of.
export * from "@parlor/contract";
export { ParlorClient } from "./client.ts";
export { type Clock, systemClock } from "./clock.ts";
export type { ClientOptions } from "./options.ts";
export type { EventBuffer, EventsOptions, WhenFull } from "./readers/event-buffer.ts";
export type { Happenings } from "./readers/readers.ts";
export type { Api, ServiceClient } from "./rest/api.ts";
export type { CallOptions } from "./rest/exchange.ts";
export type { Backoff } from "./retry.ts";
export { applyEvent, type RoomState, roomState } from "./room-state/room-state.ts";
export type { Cursor } from "./stream/cursors.ts";
export type { WebSocketConstructor, WebSocketLike } from "./stream/socket.ts";
export type { StateChange, StreamState } from "./stream/stream.ts";
export type { StoredTokens } from "./tokens.ts";
