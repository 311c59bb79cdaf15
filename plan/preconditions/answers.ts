import { factsOf } from "../newest";
import type { SiteFacts } from "../observed";
import type { Context } from "../phases/context";
import type { Refusal } from "../step";
import type { SiteId } from "../terms";
import { inProgram } from "./typed";

/** A server that is up and did not answer: what was tried, what was said, and where it really listens. */
export function answers(
  { wish }: Context,
  site: SiteId,
  { ground }: SiteFacts,
): readonly Refusal[] {
  const { port, socketDirectory, superuser, database, dataDirectory } = wish.sites[site].database;
  const other = otherCluster(ground.login);
  if (ground.livePort !== undefined && ground.livePort !== port) {
    return [
      {
        code: "port",
        what: `site ${site}: PostgreSQL of ${dataDirectory} listens on port ${ground.livePort}, not ${port}${other === undefined ? "" : `; there the cluster of ${other} answers`}`,
        hint: inProgram(site, `port: ${ground.livePort}`),
      },
    ];
  }
  if (ground.login === undefined) return [];
  const tried = `psql -h ${socketDirectory} -p ${port} -U ${superuser} -d ${database}`;
  const socket = ground.liveSocket;
  return [
    {
      code: "login",
      what: `site ${site}: PostgreSQL of ${dataDirectory} is up, but \`${tried}\` as ${ground.account ?? "the account that enters"} got ${other === undefined ? ground.login.replaceAll("_", " ") : `the cluster of ${other}`}`,
      hint:
        socket === undefined || socket === socketDirectory
          ? `check superuser, database and pg_hba.conf (a line \`local all ${superuser} peer\` is what Debian has); another superuser: ${inProgram(site, 'superuser: "..."')}`
          : `its socket is in ${socket}: ${inProgram(site, `socketDirectory: "${socket}"`)}`,
    },
  ];
}

/** Danger: a healthy primary that was only asked at the wrong place, or as the wrong user, is not lost. */
export function askedWrongly(context: Context): readonly Refusal[] {
  const { wish, decision, from } = context;
  const left = factsOf(context.left);
  const said = left?.ground.ready === true && left.ground.login !== "no_answer";
  const { livePort } = left?.ground ?? {};
  const elsewhere = livePort !== undefined && livePort !== wish.sites[from].database.port;
  const { epoch, transition } = decision;
  const given = wish.acceptLoss === epoch || wish.acceptUnproven === epoch;
  if (transition !== "failover" || given || left === undefined || !(said || elsewhere)) return [];
  return [
    ...answers(context, from, left),
    {
      code: "asked-wrongly",
      what: `site ${from}: PostgreSQL runs and takes connections, so it is not treated as lost`,
      hint: `correct what is named here and run pulumi up again; if it is broken all the same: pulumi config set acceptLoss ${epoch} && pulumi up --yes --skip-preview`,
    },
  ];
}

const otherCluster = (login: string | undefined): string | undefined =>
  /^cluster:(.*)$/.exec(login ?? "")?.[1];
