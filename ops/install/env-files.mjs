// The files of variables in /etc/quantum, which are the operators' own.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Every address of this machine, and one that leads there. @type {Readonly<Record<string, string>>} */
const OF_THIS_MACHINE = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/**
 * Where a service says whether it is ready.
 * @param {string} environment the text of its file of variables, as systemd reads it
 * @param {string} portVariable
 * @param {number} port unless the variable names another
 */
export function readyUrlOf(environment, portVariable, port) {
  const given = valueOf(environment, "HTTP_HOST") || "127.0.0.1";
  const host = OF_THIS_MACHINE[given] ?? given;
  return `http://${host.includes(":") ? `[${host}]` : host}:${valueOf(environment, portVariable) || port}/readyz`;
}

/**
 * @param {string} environment the text of a file of variables, as systemd reads it
 * @param {string} variable
 * @returns {string | undefined}
 */
function valueOf(environment, variable) {
  return environment
    .split("\n")
    .findLast((line) => line.startsWith(`${variable}=`))
    ?.slice(variable.length + 1)
    .trim()
    .replace(/^(["'])(.*)\1$/, "$2");
}

/**
 * As all services of this host have it: Redis's users have their rights in one layout. A file that does not say is passed over.
 * @param {string} etc
 */
export function partitionsOfHost(etc) {
  /** @type {Map<string, string[]>} */
  const said = new Map();
  for (const file of existsSync(etc) ? readdirSync(etc).toSorted() : []) {
    if (!file.endsWith(".env")) continue;
    const partitions = valueOf(readFileSync(join(etc, file), "utf8"), "PARTITIONS");
    if (partitions) said.set(partitions, [...(said.get(partitions) ?? []), file]);
  }
  if (said.size > 1) {
    const each = [...said].map(([partitions, files]) => `${partitions} in ${files.join(", ")}`).join("; ");
    throw new Error(`PARTITIONS is ${each}: it must be the same for all services`);
  }
  return [...said.keys()][0] ?? "1";
}
