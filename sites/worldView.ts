import { otherSite, type SiteId } from "../plan/terms";
import { askedNames, type Desired } from "../plan/desired";
import { resolverAt } from "./nameServers";

/** What one server answers for the names that a flip moves: how many lead to the site, and what the others say. */
export interface ServerView {
  readonly server: string;
  readonly right: number;
  readonly of: number;
  /** Names that it still answers with the other site. */
  readonly old: readonly string[];
  /** Longest time that it will keep such an answer, in seconds. */
  readonly oldSeconds: number;
  /** Names with no answer, or one that leads to neither site. */
  readonly wrong: readonly string[];
}

/** Asks one server from here. Never rejects. */
export async function viewOf(wish: Desired, to: SiteId, server: string): Promise<ServerView> {
  const names = askedNames(wish);
  const answers = await Promise.all(
    names.map(async (name) => ({ name, found: await addresses(server, name) })),
  );
  const goal = wish.sites[to].addresses.v4;
  const before = wish.sites[otherSite(to)].addresses.v4;
  const at = (address: string) =>
    answers.filter(({ found }) => found.some((one) => one.address === address));
  const right = at(goal);
  const old = at(before).filter((one) => !right.includes(one));
  return {
    server,
    right: right.length,
    of: names.length,
    old: old.map(({ name }) => name),
    oldSeconds: Math.max(0, ...old.flatMap(({ found }) => found.map(({ ttl }) => ttl))),
    wrong: answers
      .filter((one) => !right.includes(one) && !old.includes(one))
      .map((one) => one.name),
  };
}

async function addresses(
  server: string,
  name: string,
): Promise<readonly { readonly address: string; readonly ttl: number }[]> {
  try {
    return await resolverAt(server).resolve4(name, { ttl: true });
  } catch {
    return [];
  }
}
