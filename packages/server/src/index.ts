// What a program that runs a server needs of it.

export { serviceNames } from "./domain/service-names.ts";
export type { Admin } from "./main/admin.ts";
export { type Config, ConfigError, type Environment, loadConfig } from "./main/config.ts";
export { type ControlSocket, listenControl } from "./main/control-socket.ts";
export { createLog } from "./main/logging.ts";
export { type DirectAdmin, openAdmin } from "./main/open-admin.ts";
export { type RunningServer, type StartOptions, startServer } from "./main/server.ts";
export { type Log, noLog } from "./ports/log.ts";
