import { writeFileSync } from "node:fs";
import pc from "picocolors";
import { measure, refusalOf, toldPlan, warm, type MeasuredTransition } from "./flip";
import { handOver, type HandedOver } from "./handedOver";
import type { TourLab } from "./place";
import { postgresBanner } from "./postgres/programs";
import { Story } from "./story";
import { Tour } from "./tour";
import type { SiteId } from "../plan/terms";

/**
 * `npm run demo`: two sites are built, the flag moves a live application there and back, then one site is lost with writes
 * that only it has. They are handed over when it returns, and the flag moves back to it.
 */

interface DemoReport {
  readonly engine: string;
  readonly transitions: readonly MeasuredTransition[];
  readonly twoWriterSamples: number;
  readonly samples: number;
  readonly overlappingAcks: number;
  readonly secondUpdateChanges: number;
  readonly handedOver: HandedOver;
  /** All writes of the tour, held against the rows of the site that serves at its end. */
  readonly total: { readonly acked: number; readonly missing: number };
}

class Demo {
  readonly #transitions: MeasuredTransition[] = [];
  #twoWriterSamples = 0;
  #samples = 0;
  #secondUpdateChanges = 0;

  constructor(
    private readonly tour: Tour<TourLab>,
    private readonly story: Story,
  ) {}

  async run(): Promise<DemoReport> {
    await this.build();
    await this.flip("b", "The flag moves to b, while clients write");
    await this.again("b");
    await this.flip("a", "The flag moves back to a");
    await this.disaster();
    await this.comeBack();
    const handedOver = await handOver(this.tour, this.story);
    await this.flip("a", "The flag moves back to a, which stands by again");
    await this.again("a");
    const { acked, lost } = await this.tour.accountAll("a");
    return {
      handedOver,
      total: { acked, missing: lost.length },
      engine: `${this.tour.engine.kind} ${this.tour.engine.version}`,
      transitions: this.#transitions,
      twoWriterSamples: this.#twoWriterSamples,
      samples: this.#samples,
      overlappingAcks: this.#transitions.reduce((sum, one) => sum + one.overlappingAcks, 0),
      secondUpdateChanges: this.#secondUpdateChanges,
    };
  }

  private async build(): Promise<void> {
    const { story, tour } = this;
    story.chapter("Two sites are built");
    story.say("Site a has a database with data, site b is empty, the zone is empty.");
    story.command("pulumi config set activeSite a && pulumi up");
    const result = await tour.update({ activeSite: "a" }, story.onEvent("initial"));
    if (result.exitCode !== 0) throw new Error(refusalOf(result));
    story.done(result);
    await this.again("a");
  }

  private async flip(to: SiteId, title: string): Promise<void> {
    const { story, tour } = this;
    story.chapter(title);
    story.command(`pulumi config set activeSite ${to} && pulumi up`);
    const { result, measured } = await measure(
      tour,
      { activeSite: to },
      { onEvent: story.onEvent("switchover") },
    );
    if (measured === undefined) throw new Error(refusalOf(result));
    await this.tell(measured);
  }

  private async tell(measured: MeasuredTransition): Promise<void> {
    const { story, tour } = this;
    this.#transitions.push(measured);
    const { sampler } = tour.clients;
    this.#twoWriterSamples += sampler.twoWriterSamples;
    this.#samples += sampler.samples;
    story.steps(measured.steps);
    story.figures(measured, sampler);
    story.answers(await tour.answers(), await tour.visit());
    await this.worksOnlyAt(measured.to);
  }

  /** A job must appear at the site that serves, and nowhere else. */
  private async worksOnlyAt(site: SiteId): Promise<void> {
    const { lab } = this.tour;
    const newest = async () =>
      (
        await lab.sites[site].query<{ n: string; site: string }>(
          "select n::text, site from jobs where kind = 'worker' order by jobs.n desc limit 1",
        )
      )[0];
    const before = await newest();
    let after = before;
    for (let tries = 0; tries < 100 && after?.n === before?.n; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      after = await newest();
    }
    if (after === undefined || after.n === before?.n || after.site !== site) {
      throw new Error(`no job was done at site ${site}`);
    }
    this.story.say(`A job was done at site ${after.site} (number ${after.n}).`);
  }

  private async again(site: SiteId): Promise<void> {
    const result = await this.tour.update({ activeSite: site });
    const changes = Object.entries(result.summary)
      .filter(([op]) => op !== "same")
      .reduce((sum, [, count]) => sum + count, 0);
    this.#secondUpdateChanges += changes;
    this.story.say(
      `A second pulumi up: ${changes} changes, ${result.summary.same ?? 0} unchanged.`,
    );
    if (changes !== 0) throw new Error(`the second update changed something:\n${result.stdout}`);
  }

  private async disaster(): Promise<void> {
    const { story, tour } = this;
    story.chapter(
      "Site a is cut off: nobody can enter it, b gets nothing, clients go on writing to a",
    );
    story.command("pulumi config set activeSite b && pulumi up");
    const { result, measured } = await measure(
      tour,
      { activeSite: "b" },
      {
        onEvent: story.onEvent("failover"),
        before: async () => {
          await tour.lab.a.lose(tour.lab.b);
          await this.refused();
        },
      },
    );
    if (measured === undefined) throw new Error(refusalOf(result));
    await this.tell(measured);
    for (const warning of toldPlan(result)?.warnings ?? []) story.say(warning);
    const fenced = (await tour.lab.a.guardLog())
      .split("\n")
      .filter((line) => line.includes("fence"));
    if (fenced.length === 0) throw new Error("the guard of site a did not fence it");
    story.say("Nobody told site a; its own guard saw the witness and ended its database:");
    story.quote(fenced.join("\n"));
  }

  /** Without acceptance the update must refuse, name the epoch, and change nothing. */
  private async refused(): Promise<void> {
    const { story, tour } = this;
    const result = await tour.update({ activeSite: "b" });
    if (result.exitCode === 0) throw new Error("a failover without acceptance was not refused");
    const text = refusalOf(result);
    story.quote(text);
    for (const [, key, epoch] of text.matchAll(/pulumi config set (\w+) (\d+)/g)) {
      if (key === undefined || epoch === undefined) continue;
      story.command(`pulumi config set ${key} ${epoch}`);
      await tour.engine.setConfig(key, epoch);
    }
    story.command("pulumi up --yes --skip-preview");
  }

  private async comeBack(): Promise<void> {
    const { story, tour } = this;
    story.chapter("Site a loses power, comes back and can be entered again");
    await tour.lab.a.powerOff();
    await tour.lab.a.mend();
    story.quote((await tour.lab.a.powerOn()).trim());
    await warm(() => false, 0.5);
    const writable = await tour.lab.a
      .query<{ standby: boolean }>("select pg_is_in_recovery() as standby")
      .then((rows) => rows[0]?.standby === false)
      .catch(() => false);
    if (writable) throw new Error("site a came back writable");
    story.say("Site a accepts no writes: its guard started it as a standby, as it had left it.");
    story.command("pulumi up");
    const result = await tour.update({ activeSite: "b" }, story.onEvent("rejoin"));
    if (result.exitCode !== 0) throw new Error(refusalOf(result));
    story.done(result);
    story.say("What only a had written was exported there, then a was rewound and follows b.");
    await this.again("b");
  }
}

async function main(): Promise<number> {
  const jsonAt = process.argv.indexOf("--json");
  const file = jsonAt < 0 ? undefined : process.argv[jsonAt + 1];
  const story = new Story();
  const hosts = process.argv.includes("--hosts");
  const tour: Tour<TourLab> = hosts ? await Tour.onHosts() : await Tour.open();
  const server = hosts ? "Debian's own PostgreSQL 15" : postgresBanner();
  story.banner(`${tour.engine.banner}; ${server}`);
  try {
    const report = { ...(await new Demo(tour, story).run()), hosts };
    story.summary(report);
    if (file !== undefined) writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
    const clean = report.twoWriterSamples === 0 && report.overlappingAcks === 0;
    const lost = report.transitions
      .filter((one) => one.kind === "switchover")
      .some((one) => one.lost > 0);
    return clean && !lost && report.total.missing === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(
      `${pc.red("The demo failed:")} ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return 1;
  } finally {
    await tour.close();
  }
}

void main().then((code) => {
  process.exitCode = code;
});
