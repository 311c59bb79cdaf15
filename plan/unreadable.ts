/** A site that answers, but where nobody can say what its database is: what stands in the way, and what removes it. */

/**
 * A site that says nothing of its database. `unknown`: it did not answer, and `why` says what the transport reported.
 * `unreadable`: `why` says what stands in the way and `hint` what removes it. Neither is ever taken for absent, down or fenced.
 */
export type SiteAway =
  | { readonly reach: "unknown"; readonly why: string }
  | { readonly reach: "unreadable"; readonly why: string; readonly hint: string };

interface Words {
  readonly why: string;
  readonly hint: string;
}

/** The words for what scripts/present.sh found. Facts are data of the site: they are shown, and never run. */
export function unreadable(facts: Readonly<Record<string, string>>): SiteAway {
  return { reach: "unreadable", ...wordsFor(facts) };
}

function wordsFor(facts: Readonly<Record<string, string>>): Words {
  const {
    unread,
    unread_path: path = "?",
    account = "?",
    data_owner: known = "-",
    pid = "-",
    starter = "-",
  } = facts;
  const owner = known === "-" ? "postgres" : known;
  const enter = `let its transport enter as root or as ${owner} (user: in ssh())`;
  switch (unread) {
    case "account":
      return {
        why: `account ${account} is neither root nor ${owner}, to whom ${path} belongs`,
        hint: `${enter}.`,
      };
    case "closed":
      return {
        why: `account ${account} may not look into ${path}`,
        hint: `as root at that site: chmod o+rx ${path}; or ${enter}.`,
      };
    case "broken":
      return {
        why: `${path} is listed but cannot be looked at: a stale mount, a broken disk, or a link to nothing`,
        hint: `look at it there: ls -ld ${path}; findmnt --target ${path}.`,
      };
    case "unmounted":
      return {
        why: `${path} stands in /etc/fstab or has a mount unit, and is not mounted`,
        // PostgreSQL's unit did not start without it, and nothing starts it again.
        hint:
          starter === "-"
            ? `as root at that site: mount ${path}.`
            : `as root at that site, once the disk is there: systemctl start ${starter} (which mounts it first).`,
      };
    case "damaged":
      return {
        why: `${path} is missing or cannot be read, but a database is beside it`,
        hint: `restore it before anything else: it holds the major version, as in: echo 15 >${path}.`,
      };
    case undefined:
    default:
      return {
        why: `${path} names process ${pid}, and account ${account} cannot see whether it runs (/proc hides it, or it runs in a container)`,
        hint: `let its transport enter as ${owner} where the server runs, or give root CAP_SYS_PTRACE and mount /proc without hidepid.`,
      };
  }
}

/** A site that says nothing of its database, in the words for it: not reached, or unreadable. */
export function awayText(site: {
  readonly reach: string;
  readonly why?: string | undefined;
}): string {
  const why = (site.why ?? "?").replaceAll(/\s+/g, " ");
  return site.reach === "unreadable" ? `unreadable (${why})` : `not reached (${why})`;
}
