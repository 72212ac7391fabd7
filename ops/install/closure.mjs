// node closure.mjs PROGRAM TARGET [SOURCE]: copies what PROGRAM, a service or permitctl, needs of the workspace, and
// nothing else of it, to TARGET: its own package, the packages it depends on (those for development left out), and the
// manifests with which `pnpm install --frozen-lockfile` installs them. Images and releases on hosts are made from it.
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const MANIFESTS = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];
const NOT_RUN = /(^|\/)(node_modules|[^/]*\.(test|fixture)\.ts)$/;

const [program, target, source = process.cwd()] = process.argv.slice(2);
if (program === undefined || target === undefined) {
  console.error("usage: node closure.mjs PROGRAM TARGET [SOURCE]");
  process.exit(2);
}
const own = ["services", "cli"]
  .map((parent) => join(parent, program))
  .find((folder) => existsSync(join(source, folder, "package.json")));
if (own === undefined) {
  console.error(`PROGRAM=${program}: there is neither services/${program} nor cli/${program} in ${source}`);
  process.exit(2);
}

/** @param {string} folder */
const manifestOf = (folder) => JSON.parse(readFileSync(join(source, folder, "package.json"), "utf8"));

/** @param {string} parent */
const within = (parent) => readdirSync(join(source, parent)).map((name) => join(parent, name));
const folders = ["lua", ...within("packages"), ...within("services")].filter((folder) =>
  existsSync(join(source, folder, "package.json")),
);
const folderOf = new Map(folders.map((folder) => [manifestOf(folder).name, folder]));

const closure = new Set([own]);
// A set hands out what is added to it while it is walked.
for (const folder of closure) {
  for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) {
    const dependency = folderOf.get(name);
    if (dependency !== undefined) closure.add(dependency);
  }
}

for (const path of [...MANIFESTS, ...closure]) {
  cpSync(join(source, path), join(target, path), {
    recursive: true,
    filter: (from) => !NOT_RUN.test(from),
  });
}
