import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { benchBoots } from "./boots";
import { benchDns } from "./dns";
import { benchFlip, benchHosts, type Transport } from "./flip";
import { benchImport } from "./import";
import { benchSafety } from "./safety";

/** `npm run bench -- NAME`: figures are ratios of one run on one machine; never compare two runs. */

interface FlipOptions {
  readonly flips: string;
  readonly transport: Transport;
  readonly hosts: boolean;
  readonly json?: string;
}

const program = new Command("bench").description("Measurements, side by side in one run.");

program
  .command("flip")
  .description(
    "switchovers under load through the engine, each beside a flip by the bare floor script",
  )
  .option("--flips <n>", "how many of each", "30")
  .addOption(
    new Option("--transport <kind>", "how the sites are entered")
      .choices(["local", "ssh"])
      .default("local"),
  )
  .option("--hosts", "on two hosts with systemd, by ssh and without the floor; needs root", false)
  .option("--json <file>", "write the figures there too")
  .action(async (options: FlipOptions) => {
    const flips = Number(options.flips);
    if (!Number.isInteger(flips) || flips < 1) {
      throw new Error(`--flips: ${options.flips}: a whole number from 1 on is needed`);
    }
    const report = options.hosts
      ? await benchHosts(flips)
      : await benchFlip(flips, options.transport);
    if (options.json !== undefined) {
      writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
    }
    if (report.lost > 0) process.exitCode = 1;
  });

program
  .command("safety")
  .description("what two sites do when one is lost: overlap, loss, bounds")
  .option("--part <name...>", "only these parts (guard)")
  .option("--n <n>", "how many runs of each, instead of the part's own number")
  .option("--json <file>", "write the figures there too")
  .action(async (options: { part?: string[]; n?: string; json?: string }) => {
    const n = options.n === undefined ? undefined : Number(options.n);
    if (n !== undefined && (!Number.isInteger(n) || n < 1)) {
      throw new Error(`--n: ${String(options.n)}: a whole number from 1 on is needed`);
    }
    const { figures, broken } = await benchSafety(options.part ?? [], n);
    const text = `${JSON.stringify(figures, null, 2)}\n`;
    process.stdout.write(text);
    if (options.json !== undefined) writeFileSync(options.json, text);
    if (broken.length > 0) {
      process.stderr.write(`a promise is broken: ${broken.join(", ")}\n`);
      process.exitCode = 1;
    }
  });

program
  .command("boots")
  .description(
    "hosts with systemd that boot in the middle of everything: two writers, pairs that stay down; needs root",
  )
  .option("--n <n>", "only the first boots")
  .option("--json <file>", "write the figures there too")
  .action(async (options: { n?: string; json?: string }) => {
    const report = await benchBoots(options.n === undefined ? undefined : Number(options.n));
    const text = `${JSON.stringify(report, null, 2)}\n`;
    process.stdout.write(text);
    if (options.json !== undefined) writeFileSync(options.json, text);
    const { twoWriterSamples, overlapMs, stuck, control } = report;
    if (twoWriterSamples + overlapMs + stuck > 0 || control.twoWriterSamples === 0) {
      process.exitCode = 1;
    }
  });

program
  .command("import")
  .description("what loading the package costs over @pulumi/pulumi alone; the goal is 60 ms")
  .option("--runs <n>", "how many of each", "11")
  .action(async (options: { runs: string }) => {
    const { n, sdkMs, bothMs, costMs } = await benchImport(Math.max(1, Number(options.runs)));
    process.stdout.write(
      `import, medians of ${n}: @pulumi/pulumi ${sdkMs} ms, with pulumi-standby ${bothMs} ms, the package itself ${costMs} ms\n`,
    );
  });

program
  .command("dns")
  .description(
    "moving 1 to 10,000 names on the emulator, by the pivot and by other tools; strays and planted faults",
  )
  .option("--names <n...>", "how many names", ["1", "100", "1000", "10000"])
  .option("--json <file>", "write the figures there too")
  .option("--fleet <n>", "how many flips the resolver fleet is watched for, 36 s each", "5")
  .action(async (options: { names: string[]; fleet: string; json?: string }) => {
    const report = await benchDns(options.names.map(Number), Number(options.fleet));
    if (options.json !== undefined) {
      writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
    }
  });

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
