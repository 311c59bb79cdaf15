#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { deltaCommand } from "./delta";
import { adoptCommand } from "./adopt";
import { commentCommand } from "./comment";
import { preflightCommand } from "./preflight";
import { rehearseCommand } from "./rehearse";
import { planOf, readPreview } from "./previewFile";
import { writeRunbook } from "./runbook";
import { status } from "./status";
import { Complaint, terminal } from "./talk";
import { unfenceCommand } from "./unfence";
import { unlock } from "./unlock";
import { upCommand } from "./up";

/** `standby`: thin commands over what a preview says. They decide nothing that the plan does not. */

const program = new Command("standby").description("Commands for a pair of sites.");

program
  .command("unlock")
  .description(
    "break the lock that a killed update of this host left; any other lock is only named",
  )
  .option(
    "--state <folder>",
    "the state backend's folder or file:// URL",
    process.env.PULUMI_BACKEND_URL,
  )
  .option("--project <name>", "name of the project (default: the one in ./Pulumi.yaml)")
  .option("--stack <name>", "name of the stack", process.env.PULUMI_STACK)
  .action((given: { state?: string; project?: string; stack?: string }) => {
    const { state, stack } = given;
    if (state === undefined || /^(?!file:)[a-z0-9]+:\/\//.test(state)) {
      throw new Complaint(
        `only a backend of files can be looked at, not ${state ?? "an unnamed one"}`,
        "--state FOLDER names one; for any other backend, see who holds the lock and use pulumi cancel --yes.",
      );
    }
    if (stack === undefined) throw new Complaint("no stack is named", "--stack NAME");
    const project = given.project ?? projectName();
    process.exitCode = unlock({ state, stack, project }, terminal);
  });

program
  .command("runbook")
  .description("write one file a step from a preview: what pulumi would run, to be run by hand")
  .option("--preview <file>", "output of pulumi preview --json", "/dev/stdin")
  .option("--pair <name>", "the pair, where the program has several")
  .requiredOption("--out <folder>", "where to write; made when missing")
  .action((given: { preview: string; pair?: string; out: string }) => {
    const file = readPreview(readFileSync(given.preview, "utf8"));
    writeRunbook(file, planOf(file, given.pair), given.out, terminal);
  });

program
  .command("status")
  .description("what both sites said when a preview was made")
  .option("--preview <file>", "output of pulumi preview --json", "/dev/stdin")
  .option("--pair <name>", "the pair, where the program has several")
  .action((given: { preview: string; pair?: string }) => {
    status(planOf(readPreview(readFileSync(given.preview, "utf8")), given.pair), terminal);
  });

function projectName(): string {
  const file = "Pulumi.yaml";
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  const name = /^name:\s*["']?([A-Za-z0-9_.-]+)/m.exec(text)?.[1];
  if (name === undefined) throw new Complaint("no project is named", "--project NAME");
  return name;
}

deltaCommand(program);
adoptCommand(program);
commentCommand(program);
preflightCommand(program);
rehearseCommand(program);
upCommand(program);
unfenceCommand(program);

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
