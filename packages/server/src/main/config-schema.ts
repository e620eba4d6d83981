// Every setting of the server, once: the config, its checks, `parlor serve --help` and docs/configuration.md come from here.
// What the contract fixes (sizes of pages, lengths of names and so on) is in the proto files and cannot be set.
import { serviceNames } from "../domain/service-names.ts";
import {
  choice,
  duration,
  integer,
  longSecret,
  networks,
  onOff,
  optionalBrokerUrl,
  optionalDuration,
  optionalInteger,
  optionalPostgresUrl,
  optionalRedisUrl,
  optionalText,
  optionalWebUrl,
  origins,
  ratio,
  secret,
  section,
  several,
  size,
  text,
  word,
} from "./settings.ts";

const server = section("Server", {
  port: integer("PORT", 8080, [0, 65535], "The port on which every protocol is served. 0 takes any free port."),
  host: text(
    "HOST",
    "0.0.0.0",
    "The address to listen on. The default is every IPv4 address of the machine; `::` is every IPv6 and IPv4 address; " +
      "`127.0.0.1` is this machine alone, which is right behind a reverse proxy on the same machine.",
  ),
  grpcPort: optionalInteger("PARLOR_GRPC_PORT", [0, 65535], "A port for gRPC alone, beside the one for every protocol."),
  mqtt: onOff("PARLOR_MQTT", "on", "Whether MQTT is served, on the port for every protocol and over WebSocket."),
  mqttPort: optionalInteger(
    "PARLOR_MQTT_PORT",
    [0, 65535],
    "A port for MQTT alone, beside the one for every protocol; 1883 is usual, 8883 with TLS.",
  ),
  mqttSessionMs: duration(
    "PARLOR_MQTT_SESSION_LIFETIME",
    "30d",
    ["1m", "365d"],
    "How long the session of an MQTT client is kept while it is away, at most.",
  ),
  publicUrl: optionalWebUrl(
    "PARLOR_PUBLIC_URL",
    "Where people reach the server, when that is not where it listens: it is shown in documents and links.",
  ),
  dataDir: text(
    "PARLOR_DATA_DIR",
    "./data",
    "The folder of the embedded database and of the control socket `parlor.sock`. It is made when it is not there.",
  ),
  allowedOrigins: origins(
    "PARLOR_ALLOWED_ORIGINS",
    "Web origins whose pages may call the server, beside its own. `*` allows every origin; credentials such as cookies are never allowed.",
  ),
  trustedProxies: networks(
    "PARLOR_TRUSTED_PROXIES",
    "Reverse proxies whose `X-Forwarded-For` is believed. Without them, a proxy's address counts as its clients' address.",
  ),
  metrics: choice(
    "PARLOR_METRICS",
    "local",
    ["local", "all", "off"],
    "Who may read `/metrics`: `local` is whoever connects from this machine, and not through a proxy.",
  ),
  drainMs: duration(
    "PARLOR_DRAIN_TIME",
    "30s",
    ["0s", "1h"],
    "On shutdown, how long calls and connections have to end before they are cut.",
  ),
});

const tls = section("TLS", {
  certFile: optionalText(
    "PARLOR_TLS_CERT_FILE",
    "A file with the server's certificate and those between it and the root, in PEM. With it every port speaks TLS 1.2 or 1.3, and nothing else. " +
      "The files are read again when they change, and on SIGHUP.",
  ),
  keyFile: optionalText("PARLOR_TLS_KEY_FILE", "A file with the certificate's private key, in PEM, without a passphrase."),
  clientCaFile: optionalText(
    "PARLOR_TLS_CLIENT_CA_FILE",
    "A file with the authorities of client certificates, in PEM. Clients are then asked for a certificate, and may come without one. " +
      "Where services are apart and have no `PARLOR_SERVICE_TOKEN`, whoever has such a certificate is one of them.",
  ),
});

const database = section("Database", {
  url: optionalPostgresUrl(
    "DATABASE_URL",
    "The PostgreSQL database; its `sslmode` says whether TLS is used. Without it, and without `DB_HOST`, the embedded database is used.",
  ),
  host: optionalText("DB_HOST", "The host of the PostgreSQL database, or the folder of its socket, instead of `DATABASE_URL`."),
  port: optionalInteger("DB_PORT", [1, 65535], "The port of the PostgreSQL database; 5432 when left out."),
  user: optionalText("DB_USER", "The database user; `parlor` when left out."),
  password: secret("DB_PASSWORD", "The database password."),
  name: optionalText("DB_NAME", "The database's name; `parlor` when left out."),
  poolSize: integer("PARLOR_DB_POOL_SIZE", 10, [1, 500], "Most connections to PostgreSQL."),
  connectTimeoutMs: duration(
    "PARLOR_DB_CONNECT_TIMEOUT",
    "5s",
    ["100ms", "1m"],
    "How long to wait for a connection to PostgreSQL, a new one or a free one.",
  ),
  statementTimeoutMs: duration("PARLOR_DB_STATEMENT_TIMEOUT", "30s", ["100ms", "1h"], "How long PostgreSQL may work on one statement."),
  lockTimeoutMs: duration("PARLOR_DB_LOCK_TIMEOUT", "10s", ["10ms", "1h"], "How long a statement may wait for a lock in PostgreSQL."),
  retentionMs: optionalDuration(
    "PARLOR_RETENTION",
    ["1m", "36500d"],
    "How long messages are kept in rooms that have no time of their own; left out, for ever. Older ones are removed for good.",
  ),
  logWriters: integer(
    "PARLOR_LOG_WRITERS",
    2,
    [1, 64],
    "Transactions that write to the rooms' logs at the same time, each for rooms of its own. The embedded database always has one.",
  ),
  logBatch: integer(
    "PARLOR_LOG_BATCH",
    512,
    [1, 512],
    "Messages and changes that share such a transaction, at most. With 1 each is committed by itself, which is many times slower.",
  ),
});

const url = (service: string, variable: string) =>
  optionalWebUrl(
    variable,
    `Where the ${service} service is, for a process that needs it and does not host it, like \`http://${service}:8080\`.`,
  );

const services = section("Services apart", {
  hosted: several(
    "PARLOR_SERVICES",
    serviceNames,
    "Which services this process hosts; the others are reached at their URL. `gateway` is the door for clients.",
  ),
  auth: url("auth", "PARLOR_AUTH_URL"),
  users: url("users", "PARLOR_USERS_URL"),
  rooms: url("rooms", "PARLOR_ROOMS_URL"),
  messages: url("messages", "PARLOR_MESSAGES_URL"),
  realtime: url("realtime", "PARLOR_REALTIME_URL"),
  token: longSecret("PARLOR_SERVICE_TOKEN", 32, "The secret by which services know each other, the same in all of them."),
  tokenFile: optionalText("PARLOR_SERVICE_TOKEN_FILE", "A file with that secret, instead of `PARLOR_SERVICE_TOKEN`."),
  caFile: optionalText(
    "PARLOR_SERVICE_CA_FILE",
    "A file with the authorities of the certificates of services at https URLs, in PEM; the system's when left out.",
  ),
});

const redis = section("Several nodes", {
  url: optionalRedisUrl(
    "REDIS_URL",
    "The Redis (7 or newer) by which nodes on one PostgreSQL database hear of each other: `redis://user:password@host:6379`, " +
      "`redis+sentinel://host:26379,host:26379/master` or `redis+cluster://host:6379,host:6379`; with `rediss` instead of `redis` by TLS.",
  ),
  prefix: word(
    "PARLOR_REDIS_PREFIX",
    "parlor",
    "What the names of channels in Redis begin with. Servers with different databases that share a Redis need different ones.",
  ),
});

const auth = section("Signing in", {
  signUp: onOff(
    "PARLOR_SIGN_UP",
    "on",
    "Whether people may make accounts for themselves. When off, administrators make them with `parlor user create`.",
  ),
  bcryptCost: integer(
    "PARLOR_BCRYPT_COST",
    12,
    [4, 16],
    "The cost of a password hash: one more doubles the time. Below 10 is for tests alone.",
  ),
  hashConcurrency: optionalInteger(
    "PARLOR_HASH_CONCURRENCY",
    [1, 64],
    "Password hashes computed at the same time, each on its own core; left out, one less than there are cores, and at most 3.",
  ),
  hashQueue: integer(
    "PARLOR_HASH_QUEUE",
    100,
    [1, 10_000],
    "Password hashes that may wait; beyond it, log-ins and sign-ups are refused as OVERLOADED.",
  ),
  accessTokenMs: duration("PARLOR_ACCESS_TOKEN_LIFETIME", "15m", ["1s", "1d"], "How long an access token is good."),
  refreshTokenMs: duration("PARLOR_REFRESH_TOKEN_LIFETIME", "30d", ["1m", "365d"], "How long a session lives without being refreshed."),
  refreshGraceMs: duration("PARLOR_REFRESH_GRACE", "30s", ["0s", "5m"], "How long a refresh may be retried with the same refresh token."),
  issuer: text("PARLOR_ISSUER", "parlor", "The `iss` of access tokens. Servers that share a key need names of their own."),
  signingKeyFile: optionalText(
    "PARLOR_SIGNING_KEY_FILE",
    "A file with the private key that signs access tokens: Ed25519 in PKCS #8 PEM, or as a JWK. Without it, the server makes one and keeps it in the database.",
  ),
});

const limits = section("Limits", {
  rateLimits: onOff("PARLOR_RATE_LIMITS", "on", "`off` lifts the limits on rates, for tests and benchmarks. All other limits stay."),
  sendsPerSecond: integer("PARLOR_SENDS_PER_SECOND", 5, [1, 100_000], "Messages a user may send each second, in the long run."),
  sendsBurst: integer("PARLOR_SENDS_BURST", 20, [1, 100_000], "Messages a user may send at once."),
  callsPerSecond: integer(
    "PARLOR_CALLS_PER_SECOND",
    50,
    [1, 100_000],
    "Other calls a user (or an address, when not signed in) may make each second, in the long run.",
  ),
  callsBurst: integer("PARLOR_CALLS_BURST", 100, [1, 100_000], "Other calls a user or address may make at once."),
  logInFailures: integer(
    "PARLOR_LOG_IN_FAILURES",
    10,
    [1, 1000],
    "Failed log-ins for one account from one address within `PARLOR_LOG_IN_WINDOW`.",
  ),
  logInWindowMs: duration("PARLOR_LOG_IN_WINDOW", "15m", ["1s", "1d"], "How long a failed log-in counts."),
  signUpsPerMinute: integer("PARLOR_SIGN_UPS_PER_MINUTE", 3, [1, 10_000], "Accounts that may be made from one address each minute."),
  messageCharacters: integer("PARLOR_MESSAGE_CHARACTERS", 8000, [1, 8000], "Longest text of a message, in Unicode code points."),
  frameBytes: size(
    "PARLOR_FRAME_SIZE",
    "64KiB",
    ["4KiB", "64KiB"],
    "Largest request body, WebSocket message and gRPC message that is read.",
  ),
  connectionsPerUser: integer("PARLOR_CONNECTIONS_PER_USER", 20, [1, 100_000], "Live connections of one user."),
  connectionsPerAddress: integer(
    "PARLOR_CONNECTIONS_PER_ADDRESS",
    1000,
    [1, 1_000_000],
    "Open network connections from one address. Those of `PARLOR_TRUSTED_PROXIES` are not counted.",
  ),
});

const realtime = section("Live connections", {
  heartbeatMs: duration("PARLOR_HEARTBEAT", "25s", ["100ms", "10m"], "How often the server sends a sign of life."),
  deadAfterMs: duration("PARLOR_DEAD_AFTER", "10s", ["100ms", "10m"], "How long after a heartbeat the client has to show a sign of life."),
  helloTimeoutMs: duration("PARLOR_HELLO_TIMEOUT", "10s", ["100ms", "1m"], "How long a new connection has to say who it is."),
  outboundBytes: size(
    "PARLOR_OUTBOUND_SIZE",
    "1MiB",
    ["64KiB", "1GiB"],
    "What may wait to be sent on one connection; beyond it, the connection is closed as SLOW_CONSUMER.",
  ),
  resumeMaxEvents: integer(
    "PARLOR_RESUME_MAX_EVENTS",
    10_000,
    [0, 10_000_000],
    "Events that a returning client may have missed in one room and still gets; beyond it, it is told of a gap.",
  ),
  catchUpPageEvents: integer("PARLOR_CATCH_UP_PAGE", 500, [1, 10_000], "Events read from the database at a time when a client catches up."),
  ringEvents: integer(
    "PARLOR_RING_EVENTS",
    256,
    [0, 100_000],
    "Newest events of each active room kept in memory, so that most clients catch up without the database.",
  ),
  awayAfterMs: duration("PARLOR_AWAY_AFTER", "5m", ["1s", "1d"], "How long without a sign of activity until a person appears as away."),
  offlineAfterMs: duration(
    "PARLOR_OFFLINE_AFTER",
    "60s",
    ["0s", "1h"],
    "How long after the last sign of life a person appears as offline.",
  ),
});

const bridge = section("Bridge to an MQTT broker", {
  brokerUrl: optionalBrokerUrl(
    "PARLOR_BRIDGE_BROKER",
    "An MQTT broker, such as Mosquitto, from which messages are taken and to which events are published. Without it, there is no bridge.",
  ),
  name: text(
    "PARLOR_BRIDGE_NAME",
    "parlor-bridge",
    "The bridge's client id at the broker. Several bridges of one broker need names of their own, which stay the same.",
  ),
  shared: onOff(
    "PARLOR_BRIDGE_SHARED",
    "off",
    "Whether several bridges share the messages that the broker has for them. When off, one of them takes all, in their order, and another " +
      "one takes over when it ends. The broker must keep shared subscriptions over a restart, which Mosquitto 2.0 does not.",
  ),
  token: secret(
    "PARLOR_BRIDGE_TOKEN",
    "An API token with the scopes READ and WRITE. The events of the rooms of its account are published to the broker; " +
      "without it, messages are only taken from there.",
  ),
});

const log = section("Log", {
  level: choice(
    "PARLOR_LOG_LEVEL",
    "info",
    ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
    "The least level that is logged.",
  ),
  format: choice(
    "PARLOR_LOG_FORMAT",
    "auto",
    ["auto", "json", "pretty"],
    "`auto` is `pretty` on a terminal and `json`, one object a line, otherwise.",
  ),
});

const traces = section("Traces", {
  endpoint: optionalWebUrl(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "A collector of OpenTelemetry that takes OTLP as protobuf over HTTP, such as `http://127.0.0.1:4318`. With it, traces are on. " +
      "Further `OTEL_EXPORTER_OTLP_...` variables, such as headers, mean what OpenTelemetry says.",
  ),
  tracesEndpoint: optionalWebUrl(
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "The whole address for traces, instead of `OTEL_EXPORTER_OTLP_ENDPOINT`.",
  ),
  serviceName: text("OTEL_SERVICE_NAME", "parlor", "The name of this server in traces."),
  sampler: choice(
    "OTEL_TRACES_SAMPLER",
    "parentbased_always_on",
    ["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"],
    "Which traces are recorded. With `parentbased_`, a caller that has begun a trace decides for it.",
  ),
  ratio: ratio("OTEL_TRACES_SAMPLER_ARG", "1", "The share of traces that samplers with a ratio record."),
});

export const schema = { server, tls, database, redis, services, auth, limits, realtime, bridge, log, traces } as const;

/** Variables of the command line's client commands; the server does not read them. */
export const clientVariables: readonly string[] = ["PARLOR_URL", "PARLOR_TOKEN"];
