import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyDelta, showDelta } from "../cli/delta";
import type { Story } from "./story";
import type { TourLab } from "./place";
import type { Tour } from "./tour";

/** What became of the writes that only the lost site had. */
export interface HandedOver {
  /** Acknowledged by the lost site and unknown to the one that serves, before the delta was applied. */
  readonly onlyThere: number;
  /** Acknowledged and still missing after it. Must be 0. */
  readonly missing: number;
}

/**
 * A person's part of the story, with the commands of the package: the delta that the update exported at site a is looked
 * at, tried, and applied at site b. Then the clients' own notes are held against the rows there.
 *
 * @throws when a command fails, when a write is missing, or when there is a row that nobody wrote.
 */
export async function handOver(tour: Tour<TourLab>, story: Story): Promise<HandedOver> {
  const before = await tour.account("b");
  story.chapter("The writes that only a had are handed over");
  story.command("pulumi stack export >state.json");
  const state = join(tour.lab.dir, "state.json");
  writeFileSync(state, JSON.stringify(await tour.engine.exportStack()), { mode: 0o600 });
  const show = "standby delta show --state state.json";
  await quoted(story, show, (say) => showDelta({ state }, say), 24);
  for (const yes of [false, true]) {
    const command = `standby delta apply --state state.json${yes ? " --yes" : ""}`;
    await quoted(story, command, (say) => applyDelta({ state, onConflict: "skip", yes }, say));
  }
  const { acked, lost, unexpected, duplicates } = await tour.account("b");
  const strange = unexpected.length + duplicates.length;
  story.say(
    `Of ${acked} acknowledged writes ${before.lost.length} were only at a; now ${lost.length} are missing at b.`,
  );
  if (lost.length + strange > 0) throw new Error(`${lost.length} missing, ${strange} nobody wrote`);
  return { onlyThere: before.lost.length, missing: lost.length };
}

/** Runs one command and shows what it says; a long answer is cut. */
async function quoted(
  story: Story,
  name: string,
  run: (say: (line: string) => void) => Promise<number>,
  most = Infinity,
): Promise<void> {
  story.command(name);
  const said: string[] = [];
  const code = await run((text) => said.push(...text.split("\n")));
  story.quote(said.slice(0, most).join("\n"));
  if (said.length > most) story.say(`(${said.length - most} more lines)`);
  if (code !== 0) throw new Error(`${name} ended with ${code}:\n${said.join("\n")}`);
}
