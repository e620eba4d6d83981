/** npm run bench: measures Parlor beside its peers. See README.md. */
import { parseArgs } from "node:util";
import { keep, updateReadme } from "./report/files.ts";
import { report } from "./report/table.ts";
import { runScenario } from "./run-scenario.ts";
import { scenarios } from "./scenarios/index.ts";
import { TemporaryFolder } from "./subjects/temporary-folder.ts";

const HELP = `npm run bench -- [scenario ...] [options]

  scenario         ${scenarios.map(({ id }) => id).join(", ")}; all of them when left out
  --quick          short rounds, to see that all works
  --rounds N       how often each server is measured (4; 2 with --quick)
  --only A,B       only these servers, by their names in the table; nothing is kept
`;

const { values, positionals } = commandLine();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

await using scratch = await TemporaryFolder.make();
const options = {
  quick: values.quick,
  scratch: scratch.path,
  rounds: Number(values.rounds ?? (values.quick ? 2 : 4)),
  say: console.log,
  ...(values.only === undefined ? {} : { only: values.only.split(",") }),
};

for (const scenario of scenarios.filter(({ id }) => positionals.length === 0 || positionals.includes(id))) {
  const record = await runScenario(scenario, options);
  console.log(`\n${report([record])}`);
  if (values.only === undefined) console.log(`Kept in ${keep(record)}.\n`);
}
if (values.only === undefined) updateReadme();

/** What was asked for; ends the run with what is wrong and the help when it cannot be understood. */
function commandLine() {
  try {
    const parsed = parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        rounds: { type: "string" },
        only: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    const unknown = parsed.positionals.find((name) => !scenarios.some(({ id }) => id === name));
    if (unknown !== undefined) throw new Error(`There is no scenario ${unknown}.`);
    const { rounds } = parsed.values;
    if (rounds !== undefined && !/^[1-9]\d?$/.test(rounds)) throw new Error(`--rounds must be a number from 1 to 99, not ${rounds}.`);
    return parsed;
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}
