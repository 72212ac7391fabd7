// Installs the services of this repository on a systemd host, one at a time, and takes them back. `--help` says how.
import { parseArgs } from "node:util";
import { readFileSync } from "node:fs";
import { openHost } from "./host.mjs";
import { bringPermitctl, PERMITCTL } from "./permitctl.mjs";
import { buildRelease, releaseOf } from "./release.mjs";

const USAGE = `usage: node ops/install/quantum.mjs COMMAND [--root DIR] [--systemctl COMMAND]

  install SERVICE VERSION  builds the release of VERSION, a git tag or any commit, switches SERVICE to it and waits
                           until it is ready; if it does not become ready, what ran before runs again.
                           On a host that has no configuration of SERVICE, writes one to fill in, and ends.
                           Brings the permitctl of VERSION, too, as /usr/local/bin/permitctl
  install permitctl VERSION  brings that alone, to a host that has none of the services
  rollback SERVICE         switches back to what ran before; a second rollback returns
  status                   every service: its releases side by side, which one runs, whether it is ready

Needs git, tar and Node >= 18 with npx on the host; a release brings the Node that it runs on.
  --root DIR           everything goes below DIR instead of /
  --systemctl COMMAND  instead of systemctl

Exit codes: 0 done, 1 failed or not started (what ran before runs), 2 the command line is wrong.`;

/** @type {Record<string, Parameters<typeof openHost>[0]>} */
const SERVICES = JSON.parse(readFileSync(new URL("../systemd/services.json", import.meta.url), "utf8"));

const { values, positionals } = commandLine();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const [command, service = "", version = ""] = positionals;

try {
  if (command === "install" && service === PERMITCTL && positionals.length === 3) {
    bringPermitctl(checked(version), values);
  } else if (command === "install" && positionals.length === 3) await install(hostOf(service), version);
  else if (command === "rollback" && positionals.length === 2) await rollback(hostOf(service));
  else if (command === "status" && positionals.length === 1) await status();
  else refuse(USAGE);
} catch (error) {
  console.error(/** @type {Error} */ (error).message);
  process.exitCode = 1;
}

/**
 * @param {import("./host.mjs").InstalledHost} host
 * @param {string} name
 */
async function install(host, name) {
  const { version, commit } = releaseOf(checked(name));
  if (host.releases().includes(version)) console.log(`${version} is built already`);
  else {
    buildRelease({
      name: service,
      entry: `services/${service}/src/main.ts`,
      files: [host.unit.file, host.unit.envFile],
      version,
      commit,
      releases: host.folders.releases,
    });
  }
  const isNew = host.provideEnvFile(version);
  host.provideKeys(version);
  if (!isNew) {
    host.adoptForeignUnit();
    await change(host, version);
  }
  try {
    bringPermitctl(name, values);
  } catch (error) {
    // The service does not need it.
    console.error(`permitctl ${version} was not installed: ${/** @type {Error} */ (error).message}`);
  }
  // Redis does not know the service yet, nor does the service know its venue.
  if (isNew)
    throw new Error(`${service}: not started: its configuration is new. When it is filled in, install again`);
}

/**
 * @param {string} name
 * @returns {string} the name of a release
 */
function checked(name) {
  if (/^[\w.+-]+$/.test(name) && !/^[.-]/.test(name)) return name;
  return refuse(`VERSION=${name}: a git tag without slashes or blanks, or a commit is needed`);
}

/** @param {import("./host.mjs").InstalledHost} host */
async function rollback(host) {
  const previous = host.linked("previous");
  if (previous === undefined) throw new Error(`${service}: there is no earlier release to return to`);
  await change(host, previous);
}

/**
 * Switches to `version`, or back to what ran before: a service is not left down.
 * @param {import("./host.mjs").InstalledHost} host
 * @param {string} version
 */
async function change(host, version) {
  const before = host.linked("current");
  const earlier = host.linked("previous");
  // First, so that a rollback finds its way from wherever this process may die.
  if (before !== version) host.link("previous", before);
  const problem = await host.start(version);
  if (problem === undefined) {
    console.log(`${service}: ${version} is ready${before === undefined ? "" : `, before it was ${before}`}`);
    return;
  }
  console.error(`${service}: ${version} is not ready: ${problem}`);
  if (before === version) throw new Error(`${service}: it was ${version} before, too: nothing was changed`);
  host.link("previous", earlier);
  if (before === undefined) {
    host.remove();
    throw new Error(`${service}: removed, as nothing was installed before`);
  }
  const worse = await host.start(before);
  if (worse === undefined) throw new Error(`${service}: rolled back, ${before} is ready`);
  throw new Error(`${service}: rolled back to ${before}, which is not ready either: ${worse}`);
}

async function status() {
  const rows = await Promise.all(
    Object.entries(SERVICES).map(async ([name, definition]) => {
      const host = openHost(definition, name, values);
      const problem = host.running() === undefined ? "-" : ((await host.notReady()) ?? "yes");
      return [
        name,
        host.linked("current") ?? "-",
        host.linked("previous") ?? "-",
        host.running() ?? "-",
        host.state(),
        problem,
        host.releases().join(" ") || "-",
      ];
    }),
  );
  const head = ["SERVICE", "CURRENT", "PREVIOUS", "RUNNING", "STATE", "READY", "INSTALLED"];
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  for (const row of table)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

/** @param {string} name */
function hostOf(name) {
  const definition = Object.hasOwn(SERVICES, name) ? SERVICES[name] : undefined;
  if (definition === undefined) {
    return refuse(`SERVICE=${name}: one of ${Object.keys(SERVICES).join(", ")} is needed`);
  }
  return openHost(definition, name, values);
}

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        root: { type: "string", default: "/" },
        systemctl: { type: "string", default: "systemctl" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    return refuse(`${/** @type {Error} */ (error).message}\n\n${USAGE}`);
  }
}

/**
 * @param {string} message
 * @returns {never}
 */
function refuse(message) {
  console.error(message);
  process.exit(2);
}
