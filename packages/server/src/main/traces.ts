import type { Log } from "../ports/log.ts";
import { type Tracing, traceIdOf } from "../ports/tracing.ts";
import type { Config } from "./config.ts";
import { version } from "./version.ts";

/** Traces, where the config names a collector. What makes them is loaded only then. */
export async function openTracing({ traces }: Config, nodeId: string, log: Log): Promise<Tracing | undefined> {
  const url = traces.tracesEndpoint ?? (traces.endpoint === undefined ? undefined : `${traces.endpoint}/v1/traces`);
  if (url === undefined) return undefined;
  const { openOtel } = await import("../engines/tracing-otel.ts");
  const { serviceName, sampler, ratio } = traces;
  const onFailure = (error: Error | undefined): void =>
    log.warn({ collector: new URL(url).host, err: error }, "The collector does not take traces: they are lost until it does");
  return openOtel({ url, serviceName, version, nodeId, sampler, ratio, onFailure });
}

/** A log whose lines name the trace in which they are written. */
export function tracedLog(log: Log, tracing: Tracing): Log {
  const about = (fields: object): object => {
    const here = tracing.current();
    return here === undefined ? fields : { ...fields, traceId: traceIdOf(here) };
  };
  return {
    debug: (fields, message) => log.debug(about(fields), message),
    info: (fields, message) => log.info(about(fields), message),
    warn: (fields, message) => log.warn(about(fields), message),
    error: (fields, message) => log.error(about(fields), message),
    child: (fields) => tracedLog(log.child(fields), tracing),
  };
}
