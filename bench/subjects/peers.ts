import { npmPeer } from "./npm-peer.ts";

export const socketIo = npmPeer({
  name: "socket.io",
  does: "relays; stores nothing",
  protocol: "socketIo",
  package: "socket.io",
  server: "socket-io.ts",
});

export const ws = npmPeer({
  name: "ws",
  does: "relays, one write per message; no rooms, no accounts",
  protocol: "plainWebSocket",
  package: "ws",
  server: "ws.ts",
});

export const wsCoalesced = npmPeer({
  name: "ws coalesced",
  does: "relays, one write per turn of the event loop; no rooms, no accounts",
  protocol: "plainWebSocket",
  package: "ws",
  server: "ws-coalesced.ts",
});

export const aedes = npmPeer({
  name: "aedes",
  does: "MQTT QoS 0; relays, stores nothing",
  protocol: "mqtt",
  package: "aedes",
  server: "aedes.ts",
});

export const aedesQos1 = npmPeer({
  name: "aedes (QoS 1)",
  does: "MQTT QoS 1; relays, keeps in memory what is not acknowledged",
  protocol: "mqttQos1",
  package: "aedes",
  server: "aedes.ts",
});

export const grpc = npmPeer({
  name: "grpc-js",
  does: "relays, one write per message; no rooms, no accounts",
  protocol: "plainGrpc",
  package: "@grpc/grpc-js",
  server: "grpc.ts",
});
