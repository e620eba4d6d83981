import { Code, ParlorError, Reason } from "@parlor/contract";
import type { IConnectPacket } from "mqtt-packet";
import { newId } from "../../domain/ids.ts";
import { presenceOf } from "../mqtt-payloads.ts";
import { Breach, malformedPacket, protocolError } from "./breach.ts";
import { packetIds } from "./packet-ids.ts";
import { userProperty, type Version } from "./packets.ts";
import { ReasonCode } from "./reason-codes.ts";
import type { Encoding } from "./subscriptions.ts";
import { topics } from "./topics.ts";

/** What a CONNECT asks for (MQTT 5, section 3.1), with the defaults of its version. */
export interface ConnectRequest {
  readonly version: Version;
  readonly clientId: string;
  /** Whether the client id was made here, because the client gave none. */
  readonly assigned: boolean;
  readonly cleanStart: boolean;
  /** How long the session outlives the connection (seconds); Infinity for ever. */
  readonly expirySeconds: number;
  readonly username: string | undefined;
  readonly token: string;
  /** How long the client may be silent (milliseconds). */
  readonly silenceMs: number;
  readonly receiveMaximum: number;
  readonly maxPacketBytes: number;
  readonly topicAliasMaximum: number;
  /** Whether it wants reason strings and user properties beside failures. */
  readonly wantsProblems: boolean;
  readonly wantsResponseTopic: boolean;
  readonly encoding: Encoding;
  /** How long after the connection breaks its will is carried out: to appear offline (milliseconds); undefined without a will. */
  readonly willDelayMs: number | undefined;
}

/** Longest client id, in UTF-16 code units. */
const maxClientId = 128;
/** Section 3.1.2.11.2: the greatest expiry interval means never. */
const never = 0xffff_ffff;

/** @throws Breach with the code of the CONNACK */
export function connectRequestOf(packet: IConnectPacket & { readonly protocolVersion: Version }): ConnectRequest {
  const { protocolVersion: version, properties = {}, username, keepalive = 0 } = packet;
  // Section 4.12: extended authentication is not offered.
  if (properties.authenticationMethod !== undefined)
    throw protocolError("Authentication is by token alone.", ReasonCode.BAD_AUTHENTICATION_METHOD);
  // Sections 3.1.2.11.3 and 3.1.2.11.4: neither may be 0.
  if (properties.receiveMaximum === 0 || properties.maximumPacketSize === 0)
    throw protocolError("Receive Maximum and Maximum Packet Size must not be 0.");
  // MQTT 3.1.1, section 3.1.2.9.
  if (version === 4 && packet.password !== undefined && username === undefined)
    throw malformedPacket("A password needs a user name in MQTT 3.1.1.");
  const cleanStart = packet.clean === true;
  const expirySeconds = version === 4 ? (cleanStart ? 0 : Number.POSITIVE_INFINITY) : secondsOf(properties.sessionExpiryInterval ?? 0);
  return {
    version,
    clientId: clientIdOf(packet, cleanStart),
    assigned: packet.clientId === "",
    cleanStart,
    expirySeconds,
    username,
    token: tokenOf(packet.password),
    // Section 3.1.2.10: one and a half times; 0 turns it off.
    silenceMs: keepalive === 0 ? Number.POSITIVE_INFINITY : keepalive * 1500,
    receiveMaximum: properties.receiveMaximum ?? packetIds,
    maxPacketBytes: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    wantsProblems: properties.requestProblemInformation !== false,
    wantsResponseTopic: properties.requestResponseInformation === true,
    encoding: userProperty(packet, "format") === "protobuf" ? "protobuf" : "json",
    // Section 3.1.3.2.2: at the end of the session, at the latest.
    willDelayMs: hasWill(packet) ? Math.min(packet.will?.properties?.willDelayInterval ?? 0, expirySeconds) * 1000 : undefined,
  };
}

export function secondsOf(interval: number): number {
  return interval === never ? Number.POSITIVE_INFINITY : interval;
}

/** Section 3.1.3.1; one with characters that MQTT does not allow is malformed before. */
function clientIdOf({ clientId, protocolVersion }: IConnectPacket, cleanStart: boolean): string {
  if (clientId === "" && protocolVersion === 4 && !cleanStart)
    throw protocolError("A session that is kept needs a client id.", ReasonCode.CLIENT_ID_NOT_VALID);
  if (clientId.length > maxClientId)
    throw protocolError(`A client id has at most ${maxClientId} characters.`, ReasonCode.CLIENT_ID_NOT_VALID);
  return clientId === "" ? newId() : clientId;
}

function tokenOf(password: Buffer | undefined): string {
  if (password !== undefined && password.length > 0 && password.length <= 4096) return password.toString("latin1");
  throw refusedSignIn("Give an access token or API token as the password.");
}

export function refusedSignIn(message: string): Breach {
  return new Breach(ReasonCode.BAD_USER_NAME_OR_PASSWORD, new ParlorError(Code.UNAUTHENTICATED, Reason.TOKEN_INVALID, message));
}

/** The only will is to go offline: nobody speaks in a room when a connection breaks. */
function hasWill({ will }: IConnectPacket): boolean {
  if (will === undefined) return false;
  if (will.topic !== topics.presence)
    throw protocolError(`A will may be published to ${topics.presence} only.`, ReasonCode.TOPIC_NAME_INVALID);
  if (will.retain) throw protocolError("Nothing is retained.", ReasonCode.RETAIN_NOT_SUPPORTED);
  if (will.payload.length > 256) throw protocolError("The will is too large.", ReasonCode.PACKET_TOO_LARGE);
  if (presenceOf(will.payload as Buffer) === "OFFLINE") return true;
  throw protocolError("A will says OFFLINE.", ReasonCode.PAYLOAD_FORMAT_INVALID);
}
