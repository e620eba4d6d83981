import { parlor, parlorPostgres } from "../subjects/parlor.ts";
import { socketIo } from "../subjects/peers.ts";
import { fixedRateCase } from "./fixed-rate-case.ts";
import { figure, type Metrics, type Scenario, type Target } from "./scenario.ts";

const subjects = [parlor, socketIo, parlorPostgres];
const hundred = "100 members, 100 messages/s";
const thousand = "1,000 members, 20 messages/s";

export const s3: Scenario = {
  id: "S3",
  title: "Fixed rate",
  cases: [
    fixedRateCase({ name: hundred, listeners: 100, perSecond: 100, subjects }),
    fixedRateCase({ name: thousand, listeners: 1000, perSecond: 20, subjects }),
  ],
  targets: [noLater(hundred), noLater(thousand)],
};

function noLater(name: string): Target {
  return {
    text: `${name}: p99 <= 1.0x Socket.IO, plus one commit`,
    case: name,
    subject: parlor.name,
    peer: socketIo.name,
    figure: withoutCommit,
    atMost: 1,
  };
}

/** One commit is what a message takes longer on an idle Parlor than on an idle peer: the median, not the p99. */
function withoutCommit(mine: Metrics, theirs: Metrics): number {
  const commit = Math.max(0, figure(mine, "aloneP50") - figure(theirs, "aloneP50"));
  return (figure(mine, "p99") - commit) / figure(theirs, "p99");
}
