import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { benchFlip } from "./flip";

/** `npm run bench -- NAME`: figures are ratios of one run on one machine; never compare two runs. */

const program = new Command("bench").description("Measurements, side by side in one run.");

program
  .command("flip")
  .description(
    "switchovers under load through the engine, each beside a flip by the bare floor script",
  )
  .option("--flips <n>", "how many of each", "10")
  .option("--json <file>", "write the figures there too")
  .action(async (options: { flips: string; json?: string }) => {
    const flips = Number(options.flips);
    if (!Number.isInteger(flips) || flips < 1) {
      throw new Error(`--flips: ${options.flips}: a whole number from 1 on is needed`);
    }
    const report = await benchFlip(flips);
    if (options.json !== undefined) {
      writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
    }
    if (report.lost > 0) process.exitCode = 1;
  });

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
