// Parlor's contract: everything here is generated from, or read out of, the files under proto/.

export * from "./error.ts";
export { type FormatRule, formats, MAX_EMOJI_BYTES, MAX_PASSWORD_BYTES, MIN_PASSWORD_LENGTH } from "./formats.ts";
export * from "./gen/parlor/internal/v1/forwarded_call_pb.js";
export * from "./gen/parlor/internal/v1/gateway_note_pb.js";
export * from "./gen/parlor/internal/v1/mqtt_sessions_pb.js";
export { type Access, Access_Limit, Access_Scope, Access_Who } from "./gen/parlor/options/v1/options_pb.js";
export * from "./gen/parlor/v1/auth_pb.js";
export { type Error as WireError, ErrorSchema } from "./gen/parlor/v1/errors_pb.js";
export * from "./gen/parlor/v1/events_pb.js";
export * from "./gen/parlor/v1/messages_pb.js";
export * from "./gen/parlor/v1/presence_pb.js";
export * from "./gen/parlor/v1/realtime_pb.js";
export * from "./gen/parlor/v1/rooms_pb.js";
export * from "./gen/parlor/v1/users_pb.js";
export { fromHttp, type HttpCall, type HttpInput, toHttp } from "./http.ts";
export { decodeJson, decodeJsonValue, encodeJson, encodeJsonValue } from "./json.ts";
export { accessOf, type HttpRule, type HttpVerb, httpRuleOf } from "./methods.ts";
export { codeOf } from "./reasons.ts";
export { isRequired, rulesOf, violationsOf } from "./rules.ts";
export * from "./services.ts";
