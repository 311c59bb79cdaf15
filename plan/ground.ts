import { z } from "zod";
import { count, flag, maybe, text } from "./fields";

const list = text.transform((value) => value?.split(",") ?? []);
/** The same where "nothing was said" differs from "there are none". */
const listing = text.transform((value) => value?.split(","));

/**
 * What a site says of its host: where its configuration is, who answered at the login, and, where no pair was made yet or no
 * data is there, whether one can be made (scripts/postgres/ground.sh). Nothing said is nothing judged.
 */
export const groundSchema = z
  .object({
    config_file: text,
    config_choices: list,
    config_readable: maybe(["yes", "no"]),
    login: text,
    ready: text,
    live_port: count,
    live_socket: text,
    account: text,
    entered_as: text,
    unmade: text,
    init: text,
    blocked: text,
    home: text,
    home_lacking: maybe(["missing", "closed"]),
    link: text,
    mount: flag,
    majors: listing,
    clusters: list,
    contents: maybe(["missing", "empty", "lost+found", "foreign", "closed"]),
    inner: text,
    free: count,
    port_taken: flag,
    has_locales: listing,
    has_libraries: listing,
    peer_port: maybe(["open", "closed"]),
    listens: maybe(["yes", "no"]),
    listen: text,
    superuser: maybe(["on", "off"]),
    unmet: list,
    blank: maybe(["yes", "no"]),
    locales: list,
    libraries: list,
  })
  .transform((facts) => ({
    /** Outside of PGDATA. */
    configFile: facts.config_file,
    configChoices: facts.config_choices,
    configReadable: facts.config_readable !== "no",
    /** What was said instead of an answer; the server itself is up. */
    login: facts.login,
    /** It takes connections, though ours got no answer: not a recovery, but where or as whom it was asked. */
    ready: facts.ready === "yes",
    livePort: facts.live_port,
    liveSocket: facts.live_socket,
    /** The account that the verbs switch to; none where the site is entered as that account. */
    account: facts.account,
    enteredAs: facts.entered_as,
    /** The state folder, where it is missing and this account cannot make it. */
    unmade: facts.unmade,
    systemd: facts.init === "systemd",
    blocked: facts.blocked,
    home: facts.home,
    homeLacking: facts.home_lacking,
    link: facts.link,
    mount: facts.mount,
    majors: facts.majors,
    /** VERSION/NAME:PORT:DATA of each cluster of Debian's. */
    clusters: facts.clusters,
    contents: facts.contents,
    inner: facts.inner,
    free: facts.free,
    portTaken: facts.port_taken,
    hasLocales: facts.has_locales,
    hasLibraries: facts.has_libraries,
    peerPort: facts.peer_port,
    listens: facts.listens,
    listen: facts.listen,
    superuser: facts.superuser,
    /** Settings that need a restart, as NAME:WANTED:IS. */
    unmet: facts.unmet,
    blank: facts.blank,
    locales: facts.locales,
    libraries: facts.libraries,
  }));

export type Ground = z.infer<typeof groundSchema>;
