/** The parts of the server that can run in processes of their own. `gateway` is the door for clients. */
export const serviceNames = ["gateway", "auth", "users", "rooms", "messages", "realtime"] as const;

export type ServiceName = (typeof serviceNames)[number];
