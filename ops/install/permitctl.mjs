// The operators' command on a host:
//   /opt/quantum/permitctl/releases/VERSION, current   as for a service
//   /usr/local/bin/permitctl                            runs what is below `current`, with the Node that it brought
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { buildRelease, hasFile, releaseOf } from "./release.mjs";

export const PERMITCTL = "permitctl";
const ENTRY = "cli/permitctl/main.mjs";
const MARK = "# Written by ops/install/permitctl.mjs.";

/** Found from where it is, so that it works below any --root. Node would take `--env-file` for its own without the `--`. */
const COMMAND = `#!/bin/sh
${MARK}
current="$(dirname "$(readlink -f "$0")")/../../../opt/quantum/permitctl/current"
exec "$current/node_modules/.bin/node" -- "$current/${ENTRY}" "$@"
`;

/**
 * @param {string} name of a release
 * @param {{ root: string }} options
 * @throws {Error} if it cannot be built, or the command's place is somebody else's
 */
export function bringPermitctl(name, { root }) {
  const { version, commit } = releaseOf(name);
  // A release of before there was one leaves the command that is there.
  if (!hasFile(commit, ENTRY)) return;
  const home = join(root, "opt/quantum", PERMITCTL);
  const command = join(root, "usr/local/bin", PERMITCTL);
  if (existsSync(command) && !readFileSync(command, "utf8").includes(MARK)) {
    throw new Error(`${command} is not ours: move it away, and install again`);
  }
  const releases = join(home, "releases");
  if (!existsSync(join(releases, version))) {
    buildRelease({ name: PERMITCTL, entry: ENTRY, files: [], version, commit, releases });
  }
  const link = join(home, "current");
  rmSync(`${link}.new`, { force: true });
  symlinkSync(join("releases", version), `${link}.new`);
  renameSync(`${link}.new`, link);
  mkdirSync(dirname(command), { recursive: true });
  writeFileSync(`${command}.new`, COMMAND);
  chmodSync(`${command}.new`, 0o755);
  renameSync(`${command}.new`, command);
  console.log(`permitctl: ${version}, as ${command}`);
}
