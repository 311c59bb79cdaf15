import { startLab, type Lab } from "../../lab/lab";
import { LabVerbs } from "./labVerbs";

/** The guard at boot on real servers: two clusters, real dig, real signatures, a peer asked by real psql. */

const FIRST = { epoch: 1, from: "b", to: "a", kind: "initial" } as const;
const password = `p'w"$\`x\\y:z #%&*!`;
let lab: Lab;
let verbs: LabVerbs;

beforeAll(async () => {
  lab = await startLab();
  verbs = new LabVerbs(lab);
  const first = verbs.transition(FIRST);
  for (const site of ["a", "b"] as const) {
    await verbs.holds(site, "site/install", { run: first["run"] ?? "" });
    await verbs.holds(site, "postgres/prepare", {
      value: `hash-${site}`,
      password,
      run: first["run"] ?? "",
    });
  }
  verbs.announce(FIRST);
  await verbs.holds("a", "site/witness", { value: "seen", ...first });
  await verbs.holds("a", "postgres/promote", { value: "initial", ...first });
  await verbs.holds("b", "postgres/seed", { ...first, password });
}, 60_000);

afterAll(() => lab.close(), 30_000);

async function powerCut(site: "a" | "b") {
  await lab.sites[site].killAll();
  return lab.sites[site].boot();
}
const isStandby = async (site: "a" | "b") => {
  const [row] = await lab.sites[site].cluster.query<{ standby: boolean; upstream: string }>(
    "select pg_is_in_recovery() as standby, current_setting('primary_conninfo') as upstream",
  );
  return row;
};

test("the verb sees the witness at every server, and no guard's report yet", async () => {
  const facts = await verbs.holds("b", "site/witness", {
    value: "seen",
    ...verbs.transition(FIRST),
  });
  expect(facts).toBe("seen=2\nof=2\nobeyed=unknown\n");
}, 20_000);

test("the standby boots as a standby and goes on following", async () => {
  const { stdout } = await powerCut("b");
  expect(stdout).toContain("role=standby");
  const row = await isStandby("b");
  expect(row?.standby).toBe(true);
  expect(row?.upstream).toContain("host=127.0.0.2");
}, 20_000);

test("the primary boots writable: the witness names it and the peer is its standby", async () => {
  const { stdout, stderr } = await powerCut("a");
  expect(stderr).toBe("");
  expect(stdout).toContain("role=primary");
  expect(stdout).toContain("witness_answers=2");
  await lab.a.cluster.query("insert into jobs(site, kind) values ('a', 'after boot')");
}, 20_000);

test("a site that is cut off from the runner boots all the same", async () => {
  lab.b.cut();
  expect((await powerCut("b")).stdout).toContain("role=standby");
  expect((await lab.b.run(["true"])).exitCode).toBe(255);
  lab.b.mend();
}, 20_000);

test("with the name servers silent it boots as a standby that follows nobody", async () => {
  lab.cloudflare.dns.silence();
  const { stdout } = await powerCut("a");
  lab.cloudflare.dns.restore();
  expect(stdout).toContain("reason=no_server_gives_a_valid_witness_of_epoch_1_or_later");
  expect(await isStandby("a")).toEqual({ standby: true, upstream: "" });
  // The signal was the guard's own: once witness and peer speak for this site again, the next boot takes it away.
  const again = (await powerCut("a")).stdout;
  expect(again).toContain("role=primary");
  expect(again).toContain("the_peer_is_its_standby_and_holds_nothing_more");
}, 30_000);
