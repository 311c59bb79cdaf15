// A site that answers, but whose database nobody can judge there, is taken for neither absent nor down nor fenced.
import { siteObserved, type Observed } from "../../plan/observed";
import { plan } from "../../plan/plan";
import { preview } from "../../plan/render/preview";
import type { SiteId } from "../../plan/terms";
import { observe } from "./world";
import { scripts, wish, type Flags } from "./wish";
import { atRest } from "./worlds";

const facts = (unread: string) =>
  [
    `role=unreadable`,
    `unread=${unread}`,
    "unread_path=/data/a",
    "account=deploy",
    "data_owner=pg",
    "pid=7",
  ].join("\n");

function made(site: SiteId, flags: Flags, seen: Observed = observe(atRest("a"))) {
  const sites = { ...seen.sites, [site]: siteObserved(facts("closed")) };
  const now = { ...seen, sites };
  return { now, made: plan(wish(flags), now, scripts) };
}
const dialled = (site: SiteId, steps: ReturnType<typeof plan>["steps"]) =>
  steps
    .flatMap(({ act }) => (act.kind === "run" ? act.parts : []))
    .filter((part) => part.site === site && part.dial);

test.each([
  [
    "account",
    /^account deploy is neither root nor pg, to whom \/data\/a belongs$/,
    /root or as pg/,
  ],
  ["closed", /^account deploy may not look into \/data\/a$/, /chmod o\+rx \/data\/a/],
  ["broken", /^\/data\/a is listed but cannot be looked at/, /findmnt --target \/data\/a/],
  ["unmounted", /^\/data\/a stands in \/etc\/fstab/, /mount \/data\/a/],
  ["damaged", /^\/data\/a is missing or cannot be read/, /echo 15 >\/data\/a/],
  ["hidden", /names process 7, and account deploy cannot see/, /CAP_SYS_PTRACE/],
])("%s: says what was seen, and the line that removes it", (unread, why, hint) => {
  expect(siteObserved(facts(unread))).toEqual({
    reach: "unreadable",
    why: expect.stringMatching(why) as string,
    hint: expect.stringMatching(hint) as string,
  });
});

test("a disk that is missing: where PostgreSQL's unit is the pair's, starting it is the line", () => {
  const seen = siteObserved(`${facts("unmounted")}\nstarter=postgresql@15-main.service`);
  expect(seen).toMatchObject({
    hint: expect.stringContaining("systemctl start postgresql@15-main.service") as string,
  });
});

test.each<[SiteId, Flags]>([
  ["a", { activeSite: "b" }],
  ["b", { activeSite: "b" }],
  ["a", { activeSite: "a" }],
  ["a", { activeSite: "b", acceptLoss: 2 }],
])("site %s unreadable, %j: refused for safety, and nothing there is dialled", (site, flags) => {
  const { made: result } = made(site, flags);
  const refusal = result.refusals.find(({ code }) => code === "unreadable");
  expect(refusal?.what).toMatch(`site ${site} answers, but what its database is cannot be told`);
  expect(refusal?.later).toBeUndefined();
  expect(dialled(site, result.steps)).toEqual([]);
  expect(JSON.stringify(result.refusals)).not.toMatch(
    /absent\)|no database any more|empty-site|data-gone/,
  );
});

test("a standby that is unreadable at rest is named, and stops nothing", () => {
  const { made: result, now } = made("b", { activeSite: "a" });
  expect([result.transition, result.refusals]).toEqual(["none", []]);
  expect(result.warnings.join()).toMatch(
    /rejoin: site b is unreadable \(account deploy may not look into/,
  );
  expect(preview(result, now)).toContain("site b: unreadable (account deploy");
});

test("whoever knows that the site accepts no writes says so for this epoch, as for one that is not reached", () => {
  const { made: result } = made("a", { activeSite: "b", acceptLoss: 2, acceptUnproven: 2 });
  expect([result.transition, result.refusals]).toEqual(["failover", []]);
  expect(dialled("a", result.steps)).toEqual([]);
  const fence = result.steps.find(({ id }) => id === "fence");
  expect(fence?.act).toMatchObject({ wait: expect.any(Number) as number });
});

test("a healthy primary that was only asked wrongly is not treated as lost, unless its loss is accepted", () => {
  const seen = observe(atRest("a"));
  const a = seen.sites.a;
  if (a.reach !== "up") throw new Error("site a is reached");
  const ground = { ...a.ground, login: "FATAL:__role_x_does_not_exist", ready: true };
  const now = { ...seen, sites: { ...seen.sites, a: { ...a, role: "starting" as const, ground } } };
  const codes = (flags: Flags) => plan(wish(flags), now, scripts).refusals.map(({ code }) => code);
  expect(codes({ activeSite: "b" })).toEqual(["login", "asked-wrongly"]);
  expect(codes({ activeSite: "b", acceptLoss: 2 })).toEqual([]);
});
