import { z } from "zod";

/** What surrounds the pair at a site: facts that no transition is judged by. */
export const surroundingsShape = {
  pair: z.string().optional(),
};
type Told = z.infer<z.ZodObject<typeof surroundingsShape>>;

export interface Surroundings {
  /** The addresses that the site was made ready for: own port and host, the peer's host and port. */
  readonly pair: string | undefined;
}

export function surroundingsOf(facts: Told): Surroundings {
  return { pair: known(facts.pair) };
}

const known = (value: string | undefined) =>
  value === undefined || value === "-" || value === "" ? undefined : value;
