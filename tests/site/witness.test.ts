import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { publicKeyOf, signWitness, verifyWitness } from "../../sites/witness";
import { digText, OWNER, txt, type DigAnswer } from "./dig";
import { FakeSite, newKey } from "./harness";

const pem = newKey();
const key = publicKeyOf(pem);
const zone = "shop.test";
const record = {
  v: 1,
  zone,
  name: OWNER,
  epoch: 4,
  from: "b",
  to: "a",
  kind: "switchover",
} as const;
const good = signWitness(pem, record);

describe("the record", () => {
  test("fits one string and reads back as it was signed", () => {
    expect(good.length).toBeLessThan(255);
    expect(verifyWitness(good, [key], zone, OWNER)).toEqual({ ...record, key: key.id });
  });

  test.each([
    ["another zone", good, [key], "other.test", OWNER],
    ["another name", good, [key], zone, "_standby-blog.shop.test"],
    ["an unknown key", good, [publicKeyOf(newKey())], zone, OWNER],
    [
      "another key under the same id",
      good,
      [{ ...publicKeyOf(newKey()), id: key.id }],
      zone,
      OWNER,
    ],
    ["a changed epoch", good.replace("epoch=4", "epoch=5"), [key], zone, OWNER],
    ["a changed site", good.replace("to=a", "to=b"), [key], zone, OWNER],
    ["no signature", good.replace(/ sig=.*/, ""), [key], zone, OWNER],
    ["an epoch of 0", good.replace("epoch=4", "epoch=0"), [key], zone, OWNER],
    ["more text", `${good} x=1`, [key], zone, OWNER],
    ["nothing", "", [key], zone, OWNER],
  ])("with %s is a problem", (_, content, keys, inZone, name) => {
    expect(verifyWitness(content, keys, inZone, name)).toHaveProperty("problem");
  });

  test("is not signed by another kind of key", () => {
    expect(() => publicKeyOf("not a key")).toThrow();
  });
});

describe("the verb witness", () => {
  let site: FakeSite;
  beforeEach(() => {
    site = new FakeSite();
    site.program("dig", `for a; do case $a in @*) cat "${site.dir}/answer-\${a#@}" ;; esac; done`);
  });
  afterEach(() => site.remove());

  const ask = (...answers: readonly DigAnswer[]) => {
    answers.forEach((answer, index) => {
      writeFileSync(join(site.dir, `answer-192.0.2.${index + 1}`), digText(answer));
    });
    return site.verb("site/witness", {
      ...{ value: "seen", zone, witness_name: OWNER, witness_bound: "0" },
      servers: answers.map((_, index) => `192.0.2.${index + 1}#53`).join(" "),
      keys: `00000000=${publicKeyOf(newKey()).raw} ${key.id}=${key.raw}`,
    });
  };
  const proper = { lines: [txt(good)] };

  test("is content when every server answers the record of this epoch", async () => {
    const { code, facts } = await ask(proper, proper);
    expect({ code, facts }).toEqual({ code: 0, facts: { seen: "2", of: "2", obeyed: "unknown" } });
  });

  test("passes on what the guard of this site has obeyed", async () => {
    writeFileSync(join(site.state, "obeyed"), "4\n");
    expect((await ask(proper)).facts["obeyed"]).toBe("4");
  });

  test.each<[string, DigAnswer]>([
    ["is silent", { lines: [] }],
    ["knows no such name", { status: "NXDOMAIN", lines: [] }],
    ["fails", { status: "SERVFAIL", lines: [txt(good)] }],
    ["is not authoritative", { flags: "qr rd ra", lines: [txt(good)] }],
    [
      "answers by a wildcard or alias",
      { lines: [`${OWNER}.\t60\tIN\tCNAME\tx.shop.test.`, txt(good, "x.shop.test")] },
    ],
    ["answers another owner", { lines: [txt(good, "x.shop.test")] }],
    ["answers two records", { lines: [txt(good), txt(good)] }],
    [
      "answers two strings",
      { lines: [`${OWNER}.\t60\tIN\tTXT\t"${good.slice(0, 50)}" "${good.slice(50)}"`] },
    ],
    ["answers a forged record", { lines: [txt(good.replace("epoch=4", "epoch=5"))] }],
    ["answers an unsigned record", { lines: [txt(good.replace(/ sig=.*/, ""))] }],
    ["answers with an escape", { lines: [txt(good.replace("v=1", "v=\\1"))] }],
    ["still answers the older epoch", { lines: [txt(signWitness(pem, { ...record, epoch: 3 }))] }],
  ])("tries later when one of two servers %s", async (_, answer) => {
    const { code, facts, stderr } = await ask(proper, answer);
    expect({ code, seen: facts["seen"], of: facts["of"] }).toEqual({
      code: 75,
      seen: "1",
      of: "2",
    });
    expect(stderr).toContain("HINT: ");
  });

  test.each([
    ["a newer epoch", { ...record, epoch: 5 }],
    ["another value of this epoch", { ...record, from: "a", to: "b" } as const],
  ])("refuses %s", async (_, other) => {
    expect((await ask({ lines: [txt(signWitness(pem, other))] })).code).toBe(77);
  });

  test("two values of one epoch are doubt", async () => {
    const other = signWitness(pem, { ...record, from: "a", to: "b" });
    const { code, stderr } = await ask(proper, { lines: [txt(other)] });
    expect(code).toBe(77);
    expect(stderr).toContain("two witness records");
  });

  test("without a server there is nothing to ask", async () => {
    expect((await ask()).code).toBe(77);
  });
});
