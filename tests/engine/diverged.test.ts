// A lost site comes back with writes of its own, and the flag is set back to it at once: no update in between has exported
// anything. Whatever is done to it before it takes over, those writes are exported first.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyDelta } from "../../cli/delta";
import { cutOff } from "../../lab/lostPrimary";
import { Tour } from "../../lab/tour";
import { endedAt, planOf, up, writableSites } from "./pair";

jest.setTimeout(300_000);
let tour: Tour;
beforeAll(async () => {
  tour = await Tour.open();
  await up(tour, { activeSite: "a" });
});
afterAll(() => tour.close());

const ONLY_A = 50;

const rows = async (site: "a" | "b") =>
  (
    await tour.lab.sites[site].cluster.query<{ n: number }>(
      "select count(*)::int as n from ledger where site = 'only a'",
    )
  )[0]?.n;

/** Site a takes writes that b never gets, dies, is replaced in epoch 2, and comes back. */
async function loseA(): Promise<void> {
  const { a, b } = tour.lab;
  await cutOff({ a: a.cluster, b: b.cluster });
  await a.cluster.query(
    "insert into ledger(writer, seq, site) select 9999, n, 'only a' from generate_series(1, $1::int) as n",
    [ONLY_A],
  );
  a.cut();
  await a.killAll();
  await up(tour, { activeSite: "b", acceptLoss: "2", acceptUnproven: "2" });
  a.mend();
  await a.boot();
}

const exported = () => join(tour.lab.a.cluster.stateDirectory, "delta.done");

test("killed in the middle of it, the next update carries on; nothing is rewound without the export", async () => {
  await loseA();
  const previewed = await tour.engine
    .setConfig("activeSite", "a")
    .then(() => tour.engine.preview());
  expect(planOf(previewed)).toMatchObject({ transition: "switchover", epoch: 3 });
  const join = previewed.digest.steps?.find(({ urn }) => urn.endsWith("::shop-join"));
  const [title] = String(join?.newState?.inputs?.["stdin"]).split("\n");
  expect(title).toMatch(/before anything stops: rewind the data of site a/);

  expect((await endedAt(tour, "delta-compared")).exitCode).not.toBe(0);
  expect([existsSync(exported()), await writableSites(tour)]).toEqual([false, ["b"]]);
  expect((await endedAt(tour, "rewind-renamed")).exitCode).not.toBe(0);
  expect([existsSync(exported()), await writableSites(tour)]).toEqual([true, ["b"]]);
});

test("it is joined and takes over in one update, with its writes in the export and not in the database", async () => {
  const result = await up(tour, {});
  expect(planOf(result)).toMatchObject({ transition: "switchover", epoch: 3, to: "a" });
  expect(await writableSites(tour)).toEqual(["a"]);
  const [epoch = ""] = readFileSync(exported(), "utf8").split(" ");
  const summary = readFileSync(
    join(tour.lab.a.cluster.stateDirectory, "delta", epoch, "summary"),
    "utf8",
  );
  expect(summary).toMatch(/table\.1=public\.ledger/);
  expect(Number(/^inserts=(\d+)$/m.exec(summary)?.[1])).toBeGreaterThanOrEqual(ONLY_A);
  expect([epoch, await rows("a")]).toEqual(["3", 0]);
});

test("applied where the flag points to, no write is missing, and the plan stops asking for it", async () => {
  const asks = async () => planOf(await tour.engine.preview()).warnings.join();
  expect(await asks()).toContain("standby delta show");
  const state = join(tour.lab.dir, "state.json");
  writeFileSync(state, JSON.stringify(await tour.engine.exportStack()), { mode: 0o600 });
  expect(await applyDelta({ state, onConflict: "skip", yes: true }, () => undefined)).toBe(0);
  expect(await rows("a")).toBe(ONLY_A);
  expect(await asks()).not.toContain("standby delta show");
});
