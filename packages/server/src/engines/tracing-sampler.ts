import { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, type Sampler, TraceIdRatioBasedSampler } from "@opentelemetry/sdk-trace";

/** The values of OTEL_TRACES_SAMPLER that there are here. */
export type SamplerName = `${"" | "parentbased_"}${"always_on" | "always_off" | "traceidratio"}`;

export function samplerOf(name: SamplerName, ratio: number): Sampler {
  const own = name.replace("parentbased_", "");
  const root =
    own === "always_on" ? new AlwaysOnSampler() : own === "always_off" ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio);
  return own === name ? root : new ParentBasedSampler({ root });
}
