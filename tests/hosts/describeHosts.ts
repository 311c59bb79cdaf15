import { roomProblem } from "../../lab/hosts/room";

/** A suite that needs hosts of its own; skipped with its reason where there are none (lab/hosts/README.md). */
export function describeHosts(title: string, suite: () => void): void {
  const problem = roomProblem();
  if (problem === undefined) describe(title, suite);
  else describe.skip(`${title} (skipped: ${problem})`, suite);
}
