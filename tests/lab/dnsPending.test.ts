// The DNS API is silent during a failover: the other site serves by address, the update ends, and a later one finishes.
import { refusalOf, toldPlan } from "../../lab/flip";
import { Tour } from "../../lab/tour";

let tour: Tour;

beforeAll(async () => {
  tour = await Tour.open();
  const first = await tour.update({ activeSite: "a" });
  if (first.exitCode !== 0) throw new Error(refusalOf(first));
}, 120_000);
afterAll(() => tour.close(), 60_000);

const pivot = () =>
  tour.lab.cloudflare.records(tour.lab.zone).find((one) => one.name === `active.${tour.lab.zone}`);
const role = async () => {
  const [row] = await tour.lab.b.cluster.query<{ standby: boolean }>(
    "select pg_is_in_recovery() as standby",
  );
  return row?.standby === false ? "primary" : "standby";
};

test("an API that never answers leaves DNS pending; when it answers, the next update finishes, and the one after is quiet", async () => {
  const { lab } = tour;
  await lab.a.killAll();
  const silence = lab.cloudflare.faults.add({ act: { kind: "hang" } });
  const failover = { activeSite: "b", acceptLoss: "2", acceptUnproven: "2" };
  const writes = () => lab.cloudflare.requests().filter((one) => one.method !== "GET").length;
  const before = writes();

  const pending = await tour.update(failover);
  const told = toldPlan(pending);
  expect(told?.states[`pivot-${lab.zone}`]).toBe("waiting");
  expect(told?.states.promote).toBe("todo");
  expect(told?.warnings.join("\n")).toContain("DNS pending");
  // Promoted and serving, but not settled: the update says that it is not over.
  expect(pending.exitCode).not.toBe(0);
  expect(await role()).toBe("primary");
  expect(pivot()?.content).toBe(`site-a.${lab.zone}`);
  expect(writes()).toBe(before);

  silence.remove();
  const finished = await tour.update({});
  expect(refusalOf(finished)).toBe("");
  expect(finished.exitCode).toBe(0);
  expect(pivot()?.content).toBe(`site-b.${lab.zone}`);
  expect(writes()).toBe(before + 2);

  const quiet = await tour.update({});
  expect(quiet.exitCode).toBe(0);
  expect(writes()).toBe(before + 2);
}, 240_000);
