// What the commands give a transport: the same surroundings as a step does.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { visitSite } from "../../cli/siteAccess";
import { ssh } from "../../sites/transports/ssh";

const folder = mkdtempSync(join(tmpdir(), "standby-access-"));
beforeAll(() => {
  // Runs its last argument here, after a look at the file of known keys that it was given.
  const program = `#!/bin/sh
for each in "$@"; do
  case $each in UserKnownHostsFile=*) cat "\${each#*=}" >"${folder}/seen"; echo "\${each#*=}" >>"${folder}/seen" ;; esac
  last=$each
done
exec sh -c "$last"
`;
  writeFileSync(join(folder, "ssh"), program);
  chmodSync(join(folder, "ssh"), 0o755);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("a site behind ssh is entered with its pinned key, from a folder of this call alone", async () => {
  const transport = ssh({ host: "192.0.2.10", user: "root", hostKeys: ["ssh-ed25519 AAAA"] });
  const ours = `PATH='${folder}':"$PATH" XDG_RUNTIME_DIR='${folder}'\n`;
  const access = (site: "a" | "b") => ({
    ...{ site, settings: { state: folder, data: folder } },
    enter: ours + transport.enter(site),
  });
  const sites = { a: access("a"), b: access("b") };
  const visit = { verb: "postgres/delta", bound: 20, input: { value: "status" } };
  const { code, stdout } = await visitSite(sites, { site: "a", ...visit });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "primary=no\ndelta=none\n" });
  expect(readFileSync(join(folder, "seen"), "utf8")).toMatch(
    /^standby-a ssh-ed25519 AAAA\n\/\S+\/known-a\n$/,
  );
});
