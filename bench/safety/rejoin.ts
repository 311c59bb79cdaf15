import { DivergedPair } from "../../lab/divergedPair";
import { fakePrograms, type Outcome } from "../../lab/pair";
import { quantiles } from "../statistics";

/** One way of making the other site a standby again, at one size of database. Milliseconds, median. */
export interface RejoinFigure {
  readonly kind: "follow" | "rewind" | "reseed";
  readonly sizeMb: number;
  readonly ms: number;
}

/** Rewinds that were killed at a random moment. */
export interface RewindKillReport {
  readonly n: number;
  /** Times that something damaged, or a second writer, could be started afterwards. Must be 0. */
  readonly damagedStarted: number;
}

/** Follow, rewind and reseed, `rounds` times each, at each size. */
export async function rejoins(
  sizesMb: readonly number[] = [10, 200],
  rounds = 3,
): Promise<readonly RejoinFigure[]> {
  const figures: RejoinFigure[] = [];
  for (const size of sizesMb) figures.push(...(await rejoinsOf(size, rounds)));
  return figures;
}

async function rejoinsOf(size: number, rounds: number): Promise<readonly RejoinFigure[]> {
  const world = await DivergedPair.create();
  try {
    await fill(world, size);
    const sizeMb = await sizeOf(world);
    const times: Record<RejoinFigure["kind"], number[]> = { follow: [], rewind: [], reseed: [] };
    const noRewind = fakePrograms(world.pair, { pg_rewind: "exit 1" });
    for (let round = 0; round < rounds; round += 1) {
      times.rewind.push(await timed(world, {}));
      times.reseed.push(await timed(world, { bindir: noRewind }));
      await world.pair.site(world.lost).stop();
      times.follow.push((await held(() => world.rejoin())).ms);
    }
    return (["follow", "rewind", "reseed"] as const).map((kind) => ({
      kind,
      sizeMb,
      ms: quantiles(times[kind]).p50,
    }));
  } finally {
    await world.pair.close();
  }
}

async function timed(world: DivergedPair, more: Record<string, string>): Promise<number> {
  await world.diverge(1000);
  return (await held(() => world.rejoin({ discard_delta: world.epoch, ...more }))).ms;
}

async function held(act: () => Promise<Outcome>): Promise<Outcome> {
  const outcome = await act();
  if (outcome.code !== 0) throw new Error(outcome.stderr);
  return outcome;
}

async function fill(world: DivergedPair, sizeMb: number): Promise<void> {
  await world.pair.site(world.serving).query(
    // About 1 kB a row.
    "create table filler as select n, repeat(md5(n::text), 30) as text from generate_series(1, $1::int * 1000) as n",
    [sizeMb],
  );
}

async function sizeOf(world: DivergedPair): Promise<number> {
  const [row] = await world.pair
    .site(world.serving)
    .query<{ mb: number }>(
      "select round(sum(pg_database_size(oid)) / 1e6)::int as mb from pg_database",
    );
  return row?.mb ?? 0;
}

/** n rewinds, each killed at another moment; then somebody else starts PostgreSQL; then the next run must mend it. */
export async function rewindKills(n: number): Promise<RewindKillReport> {
  const world = await DivergedPair.create();
  let damagedStarted = 0;
  try {
    await fill(world, 50);
    for (let round = 0; round < n; round += 1) {
      await world.diverge(2000);
      const delayMs = 200 + Math.round((round / n) * 3000);
      const killed = await world.killedRejoin(delayMs);
      const damaged = await world.startedByAnother().then(
        () => false,
        () => true,
      );
      if (damaged) damagedStarted += 1;
      await held(() => world.rejoin({ discard_delta: world.epoch }));
      const [mine, theirs] = [
        await world.count(world.lost, "kept"),
        await world.count(world.serving, "kept"),
      ];
      if (mine !== theirs) damagedStarted += 1;
      process.stdout.write(
        `rewind killed ${round + 1}/${n} after ${delayMs} ms (${killed}): ${damaged ? "DAMAGED" : "safe"}\n`,
      );
    }
    return { n, damagedStarted };
  } finally {
    await world.pair.close();
  }
}
