// One service on a host:
//   /opt/quantum/SERVICE/releases/VERSION   built once, never changed
//   /opt/quantum/SERVICE/current, previous  symlinks to releases; the unit runs what is below `current`
//   /etc/quantum/redis/                     the Redis users' passwords and the ACL file: passwords are made once
//   /etc/quantum/keys/                      the issuers' keys, and the list of the operators': made if they are missing,
//                                           never changed
//   /etc/quantum/NAME.env                   the operators' own: written if there is none, never changed
//   /etc/systemd/system/quantum-NAME.service   always that of the current release
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { partitionsOfHost, readyUrlOf } from "./env-files.mjs";
import { provideRedisUsers } from "./redis-users.mjs";

/** A service that starts with everyone else waits for Redis and for the exchange. */
const READY_DEADLINE_MS = 60_000;
const READY_POLL_MS = 250;
const REQUEST_TIMEOUT_MS = 2_000;
/** `reset-failed` fails where nothing has failed yet. */
const ANSWERS_BY_EXIT_CODE = new Set(["is-active", "reset-failed"]);
/** The release that is only the unit of whoever ran under this name before us. */
const FOREIGN = "before-quantum";

/**
 * @typedef {ReturnType<typeof openHost>} InstalledHost
 *
 * @typedef {object} Definition
 * @property {string} name of the unit
 * @property {string} portVariable
 * @property {number} port
 * @property {string} [issuer]
 * @property {Readonly<Record<string, string>>} redis each variable that takes a URL, with the Redis user for it
 *
 * @param {Definition} definition
 * @param {string} service
 * @param {{ root: string, systemctl: string }} options
 */
export function openHost({ name, portVariable, port, issuer, redis }, service, { root, systemctl }) {
  const home = join(root, "opt/quantum", service);
  const folders = { releases: join(home, "releases"), etc: join(root, "etc/quantum") };
  const unit = { file: `quantum-${name}.service`, envFile: `env/${name}.env` };
  const unitPath = join(root, "etc/systemd/system", unit.file);
  const envPath = join(folders.etc, `${name}.env`);

  /** @type {(version: string, path: string) => string} */
  const fileOf = (version, path) => join(folders.releases, version, "ops/systemd", path);

  /**
   * @param {string[]} args
   * @returns {string} what it printed
   */
  function control(...args) {
    const { stdout, stderr, status, error } = spawnSync(systemctl, args, { encoding: "utf8" });
    if (error) throw error;
    if (status !== 0 && !ANSWERS_BY_EXIT_CODE.has(args[0] ?? "")) {
      throw new Error(`systemctl ${args.join(" ")} failed: ${stderr.trim()}`);
    }
    return stdout.trim();
  }

  /**
   * @param {string} link
   * @returns {string | undefined}
   */
  function linked(link) {
    try {
      return basename(readlinkSync(join(home, link)));
    } catch {
      return undefined;
    }
  }

  /**
   * Renamed into place: at every moment there is the old one or the new one.
   * @param {string} name
   * @param {string | undefined} version
   */
  function link(name, version) {
    const path = join(home, name);
    if (version === undefined) return rmSync(path, { force: true });
    rmSync(`${path}.new`, { force: true });
    symlinkSync(join("releases", version), `${path}.new`);
    renameSync(`${path}.new`, path);
  }

  const releases = () =>
    existsSync(folders.releases)
      ? readdirSync(folders.releases).filter((version) => !version.startsWith("."))
      : [];
  const state = () => control("is-active", unit.file) || "unknown";

  /** Systemd's working directory is the release itself, whatever `current` says by now. */
  function running() {
    const pid = control("show", "--property", "MainPID", "--value", unit.file);
    if (pid === "" || pid === "0") return undefined;
    try {
      return /\/releases\/([^/]+)\//.exec(readlinkSync(`/proc/${pid}/cwd`))?.[1] ?? FOREIGN;
    } catch {
      return undefined;
    }
  }

  function readyUrl() {
    return readyUrlOf(existsSync(envPath) ? readFileSync(envPath, "utf8") : "", portVariable, port);
  }

  /**
   * Why it is not ready; undefined when it is.
   * @returns {Promise<string | undefined>}
   */
  async function notReady() {
    // Of a foreign service nothing is known but whether it runs.
    if (linked("current") === FOREIGN) return state() === "active" ? undefined : `it is ${state()}`;
    try {
      const answer = await fetch(readyUrl(), { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
      if (answer.ok) return undefined;
      const { problems = [`HTTP ${answer.status}`] } = /** @type {{ problems?: string[] }} */ (
        await answer.json()
      );
      return shown(problems.join("; "));
    } catch (caught) {
      const error = /** @type {Error & { cause?: { code?: string } }} */ (caught);
      return `${readyUrl()} does not answer (${error.cause?.code ?? error.message})`;
    }
  }

  /**
   * Switches to a release and waits.
   * @param {string} version
   * @returns {Promise<string | undefined>} why it did not become ready, or undefined
   */
  async function start(version) {
    mkdirSync(dirname(unitPath), { recursive: true });
    copyFileSync(fileOf(version, unit.file), unitPath);
    link("current", version);
    control("daemon-reload");
    control("enable", unit.file);
    // A unit that has used up its restarts would refuse to start.
    control("reset-failed", unit.file);
    control("restart", unit.file);
    const deadlineMs = Date.now() + READY_DEADLINE_MS;
    for (;;) {
      const problem = await notReady();
      if (problem === undefined && running() === version) return undefined;
      if (state() === "failed") return `it has failed: see journalctl -u ${unit.file}`;
      if (Date.now() > deadlineMs) return problem ?? `what answers is ${running()}`;
      await delay(READY_POLL_MS);
    }
  }

  /** As if it had never been installed here; its releases stay. */
  function remove() {
    control("disable", "--now", unit.file);
    link("current", undefined);
    rmSync(unitPath);
    control("daemon-reload");
  }

  /** The unit that another service has under this name becomes a release of its own, to return to. */
  function adoptForeignUnit() {
    if (linked("current") !== undefined || !existsSync(unitPath)) return;
    mkdirSync(join(folders.releases, FOREIGN, "ops/systemd"), { recursive: true });
    copyFileSync(unitPath, fileOf(FOREIGN, unit.file));
    link("current", FOREIGN);
  }

  /**
   * @param {string} version
   * @returns {boolean} whether it is new, with variables for the operator to fill in
   */
  function provideEnvFile(version) {
    const partitions = partitionsOfHost(folders.etc);
    const redisUsers = provideRedisUsers(folders.etc, partitions);
    if (existsSync(envPath)) return false;
    let text = readFileSync(fileOf(version, unit.envFile), "utf8");
    text = text.replace(/^PARTITIONS=.*$/m, `PARTITIONS=${partitions}`);
    for (const [variable, user] of Object.entries(redis)) {
      const password = readFileSync(join(redisUsers, user, "password"), "utf8").trim();
      const url = `redis://${user}:${password}@localhost:6379/0`;
      text = text.replace(new RegExp(`^${variable}=$`, "m"), `${variable}=${url}`);
    }
    // Keys will be in it: for root, who reads it for the service, and nobody else.
    writeFileSync(envPath, text, { mode: 0o600 });
    console.log(`${envPath} is new: look it through, variables that are required are empty`);
    return true;
  }

  /**
   * What the unit hands over: an issuer's private key, and the lists of public keys. Made by the release's own program,
   * which one without signatures does not have.
   * @param {string} version
   */
  function provideKeys(version) {
    const release = join(folders.releases, version);
    const program = join(release, "packages/signing/src/provide-keys.ts");
    if (!existsSync(program)) return;
    const keys = join(folders.etc, "keys");
    mkdirSync(keys, { recursive: true, mode: 0o700 });
    const privateFile = join(keys, `${issuer}.pem`);
    const isNew = issuer !== undefined && !existsSync(privateFile);
    const places = issuer === undefined ? [] : [`${issuer}=${privateFile}`];
    const node = join(release, "node_modules/.bin/node");
    /** @type {(publicFile: string, ...places: string[]) => void} */
    const provide = (publicFile, ...places) => {
      execFileSync(node, [program, publicFile, ...places], { stdio: ["ignore", "inherit", "pipe"] });
    };
    provide(join(keys, "issuers.json"), ...places);
    // Operators make their keys on their own machines; the unit needs a list, though it be empty.
    provide(join(keys, "operators.json"));
    if (isNew)
      console.log(
        `${privateFile} is new: the executor accepts it once it has read ${join(keys, "issuers.json")}`,
      );
  }

  return {
    folders,
    unit,
    releases,
    linked,
    link,
    running,
    state,
    notReady,
    start,
    remove,
    adoptForeignUnit,
    provideEnvFile,
    provideKeys,
  };
}

/**
 * A service's words may be those of Redis or the exchange: what a terminal obeys or hides is escaped, as `escapeControls`
 * of packages/contract does it; this program runs without the packages.
 * @param {string} text
 */
function shown(text) {
  return text.replaceAll(
    /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
