import { TEXT } from "../text.ts";
import { countingProtocol } from "./counting.ts";
import { clientFrame, WebSocketLink } from "./websocket.ts";

const MESSAGE = clientFrame(Buffer.from(TEXT), 1);

/** Bare `ws`: who connects is in the room, and a text goes to everyone as it is. */
export const plainWebSocket = countingProtocol((door) => WebSocketLink.open(door.port, { path: "/" }), MESSAGE);
