import pc from "picocolors";
import { Tour } from "./tour";
import { refusalOf } from "./flip";
import { Story } from "./story";
import { packageRoot } from "./tour";

/** `npm run lab`: keeps two sites up and prints the exact commands, so that a person can flip by hand and look. */

async function main(): Promise<void> {
  const story = new Story();
  const tour = await Tour.open();
  try {
    story.banner(tour.engine.banner);
    story.chapter("Two sites are built");
    const result = await tour.update({ activeSite: "a" }, story.onEvent("initial"));
    if (result.exitCode !== 0) throw new Error(refusalOf(result));
    story.done(result);
    story.chapter("Now it is yours; Ctrl-C ends everything and leaves nothing behind");
    for (const [what, command] of commands(tour)) {
      story.say(pc.dim(`# ${what}`));
      story.command(command);
    }
    await stopped();
  } finally {
    await tour.close();
  }
}

function commands(tour: Tour): readonly (readonly [string, string])[] {
  const { lab, engine } = tour;
  const pulumi = engineCommand(tour);
  const { port, superuser } = lab.a.cluster;
  const dns = `-p ${lab.dns.port} @${lab.dns.address}`;
  return [
    ["what would happen", `${pulumi} preview`],
    ["fail over, and back with a", `${pulumi} config set activeSite b && ${pulumi} up`],
    ["where the public name leads", `dig ${dns} ${lab.hostnames[0] ?? lab.zone} A +short`],
    ["the witness", `dig ${dns} _standby-shop.${lab.zone} TXT +short`],
    [
      "the database of site a, of site b",
      `psql -h ${lab.a.host} -p ${port} -U ${superuser} postgres; psql -h ${lab.b.host} -p ${port} -U ${superuser} postgres`,
    ],
    ["cut site a off, and mend it", `touch ${lab.dir}/cut-a; rm ${lab.dir}/cut-a`],
    ["the engine", `echo ${engine.kind} ${engine.version}`],
  ];
}

/** The command line of the engine in use, with everything it must be told. */
function engineCommand(tour: Tour): string {
  const project = `${packageRoot()}/stacks/demo`;
  return tour.engine.kind === "pulumi"
    ? `PULUMI_BACKEND_URL=file://${tour.lab.dir}/stack PULUMI_CONFIG_PASSPHRASE=lab pulumi --cwd ${project} --stack demo`
    : `node ${packageRoot()}/dist/lab/engine/main.js --cwd ${project} --stack demo --state ${tour.lab.dir}/stack`;
}

// A ref'd timer: the lab's own servers may be idle.
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    const alive = setInterval(() => undefined, 60_000);
    const stop = () => {
      clearInterval(alive);
      resolve();
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
