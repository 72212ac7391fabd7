// node render.mjs RECEIVERS OUT: writes Alertmanager's whole configuration to OUT, for its owner alone, from the file of
// receivers. Alertmanager has neither includes nor environment variables, so its file has all secrets.
// Exit code 2: the receivers' file is wrong, and nothing was written; every violation is named, and no secret.
import {
  chmodSync,
  chownSync,
  lstatSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { configurationOf } from "./configuration.mjs";
import { violationsOf } from "./receivers.mjs";

const [source, target] = process.argv.slice(2);
if (source === undefined || target === undefined || process.argv.length > 4)
  fail(["usage: node render.mjs RECEIVERS OUT"]);

/** @type {import("./receivers.mjs").Receivers} */
let receivers;
try {
  receivers = JSON.parse(readFileSync(source, "utf8"));
} catch (error) {
  // A parser's message quotes the text, which has secrets.
  fail([`${source}: ${error instanceof SyntaxError ? "is not JSON" : message(error)}`]);
}
const violations = violationsOf(receivers);
const hasSecrets =
  violations.length > 0 || Object.keys(receivers.receivers).length > 0 || receivers.heartbeat !== null;
if (hasSecrets && (statSync(source).mode & 0o077) !== 0)
  violations.push("others have access to it: chmod 600");
if (violations.length > 0) fail(violations.map((violation) => `${source}: ${violation}`));

for (const severity of /** @type {const} */ (["critical", "warning"]))
  if (receivers[severity].length === 0) console.error(`${source}: ${severity}: alerts reach nobody`);
if (receivers.heartbeat === null)
  console.error(`${source}: heartbeat: nobody notices when Prometheus or Alertmanager stops`);

write(
  target,
  `# Written by ops/alertmanager/render.mjs, as JSON, which is YAML: change the receivers' file instead.
${JSON.stringify(configurationOf(receivers), undefined, 2)}
`,
);

/**
 * Replaces the file in one step, with the owner that it had.
 * @param {string} path
 * @param {string} content
 */
function write(path, content) {
  const draft = `${path}.${process.pid}`;
  const old = lstatSync(path, { throwIfNoEntry: false });
  if (old?.isFile() === false) fail([`${path}: is not a file`]);
  try {
    writeFileSync(draft, content, { mode: 0o600, flag: "wx" });
    // Whatever the umask is.
    chmodSync(draft, 0o600);
    if (old !== undefined) chownSync(draft, old.uid, old.gid);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    fail([message(error)]);
  }
}

/** @param {unknown} error */
function message(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param {readonly string[]} lines
 * @returns {never}
 */
function fail(lines) {
  for (const line of lines) console.error(line);
  process.exit(2);
}
