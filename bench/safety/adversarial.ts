import { Pair } from "../../lab/pair";
import { ADVERSARIES, type Adversary, type Verdict } from "./adversaries";

/** Cases in which a promotion would lose writes or make two writers. */
export interface AdversarialReport {
  readonly n: number;
  /** Cases that our proof let pass. Must be 0. */
  readonly falseAccepts: number;
  /** Cases that at least one looser rule let pass. */
  readonly looserRulesFooled: number;
}

/** One case on a pair of its own. */
export async function face(adversary: Adversary): Promise<Verdict> {
  const pair = await Pair.streaming();
  try {
    await pair.a.query("create table ledger(n serial primary key)");
    return await adversary.run(pair);
  } finally {
    await pair.close();
  }
}

/** All cases, one after the other. */
export async function adversarial(): Promise<AdversarialReport> {
  const verdicts: Verdict[] = [];
  for (const adversary of ADVERSARIES) {
    const verdict = await face(adversary);
    verdicts.push(verdict);
    const fooled = verdict.fooled.length === 0 ? "none" : verdict.fooled.join(", ");
    process.stdout.write(
      `${adversary.name}: ${verdict.accepted ? "ACCEPTED" : "refused"}; looser rules that accept: ${fooled}\n`,
    );
  }
  return {
    n: verdicts.length,
    falseAccepts: verdicts.filter((one) => one.accepted).length,
    looserRulesFooled: verdicts.filter((one) => one.fooled.length > 0).length,
  };
}
