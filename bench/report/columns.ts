/** How a figure is shown. */
interface Column {
  readonly title: string;
  readonly show: (value: number) => string;
}

const thousands = (value: number): string => `${Math.round(value / 1000).toLocaleString("en")} k`;
const significant = (value: number): string => String(Number(value.toPrecision(value >= 100 ? 3 : 2)));
const percent = (value: number): string => `${Math.round(value * 100)} %`;

/** The figures of rounds that tables show, and their units. */
export const columns: Readonly<Record<string, Column>> = {
  deliveriesPerSecond: { title: "deliveries/s", show: thousands },
  cpuMicrosPerDelivery: { title: "CPU us/delivery", show: significant },
  burstP50: { title: "burst delivered, median ms", show: significant },
  p50: { title: "p50 ms", show: significant },
  p99: { title: "p99 ms", show: significant },
  aloneP50: { title: "alone, median ms", show: significant },
  rssMib: { title: "RSS MiB", show: significant },
  ackedPerSecond: { title: "acknowledged/s", show: (value) => Math.round(value).toLocaleString("en") },
  kibPerConnection: { title: "RSS KiB/connection", show: significant },
  redisMicrosPerMessage: { title: "Redis CPU us/message", show: significant },
  generatorBusy: { title: "generator busy", show: percent },
  firstStartSeconds: { title: "first start s", show: significant },
  laterStartSeconds: { title: "later start s", show: significant },
};
