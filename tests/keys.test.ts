/** Keys of services that run: replaced meanwhile, refused when others could read them, and shown to nobody. */
import { chmod, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, type ServiceProcess } from "@quantum/harness";
import { type Rig, startRig } from "@quantum/harness/rig";
import { createKeyPair, loadSigningKey } from "@quantum/signing";
import { PIPELINE, type PipelineName, privateKeyFile, PUBLIC_KEYS_FILE } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PLANS = 6;
const RUN_MS = 20_000;
const PATIENCE_MS = 10_000;
const ISSUERS = { governor: "governor", "position-brain": "p33" } as const;
const KEYS_SCANNED = 10_000;
/** Of pino. */
const WARN = 40;

let rig: Rig;
const services = new Map<string, ServiceProcess>();
/** Of all private keys that were in use. */
const secrets: string[] = [];
beforeAll(async () => {
  rig = await startRig();
  for (const issuer of Object.values(ISSUERS)) secrets.push(await readFile(fileOf(issuer), "utf8"));
  const start = async (name: string, env = {}) => services.set(name, await rig.start(name, env));
  await Promise.all(PIPELINE.map(({ name }) => start(name)));
  await start("harvest-feed", { FEED_MAX: String(PLANS), FEED_RATE: "100" });
  const { client, keys } = rig;
  const ended = async () => (await client.xlen(keys.streams.result)) >= PLANS || undefined;
  await eventually(ended, RUN_MS, `${PLANS} results`);
});
afterAll(() => rig.stop());

function running(name: PipelineName): ServiceProcess {
  const service = services.get(name);
  if (service === undefined) throw new Error(`${name} does not run`);
  return service;
}
const fileOf = (issuer: string) => join(rig.keysFolder, privateKeyFile(issuer));
const problemsOf = async ({ url }: ServiceProcess) =>
  ((await (await fetch(`${url}/readyz`)).json()) as { problems: string[] }).problems;

async function replace(file: string, content: string, mode: number): Promise<void> {
  await writeFile(`${file}.other`, content, { mode });
  await chmod(`${file}.other`, mode);
  await rename(`${file}.other`, file);
}

describe("an issuer", () => {
  it.each(Object.entries(ISSUERS))("%s says with which key it signs", async (name, issuer) => {
    const { kid } = await loadSigningKey(fileOf(issuer));
    const told = running(name as PipelineName).waitForLog(
      ({ msg }) => msg.startsWith("permits are signed"),
      PATIENCE_MS,
    );
    expect(await told).toMatchObject({ msg: `permits are signed with key ${kid}`, kid });
  });

  it("takes a key that is put in the place of its own", async () => {
    const { kid, privateKey } = createKeyPair();
    secrets.push(privateKey);
    await replace(fileOf("governor"), privateKey, 0o600);
    await running("governor").waitForLog(
      ({ msg, kid: told }) =>
        msg.startsWith("the signing key is replaced: GOV_SIGNING_KEY_FILE=") && told === kid,
      PATIENCE_MS,
    );
    expect(await problemsOf(running("governor"))).toEqual([]);
  });

  it("is not ready while others could read its key, says why, and goes on with the one that it had", async () => {
    const file = fileOf("p33");
    const rule = `P33_SIGNING_KEY_FILE: ${file} has mode 0644: others must have no access to a private key: chmod 600`;
    const service = running("position-brain");
    await chmod(file, 0o644);
    const problems = async () => {
      const found = await problemsOf(service);
      return found.length > 0 ? found : undefined;
    };
    expect(await eventually(problems, PATIENCE_MS, "P3.3 is not ready")).toEqual([
      `${rule}; the one that was read before is in use`,
    ]);
    expect(
      service.logs.filter(({ msg }) => msg === `${rule}; the one that was read before stays in use`),
    ).toHaveLength(1);
    await chmod(file, 0o600);
    const ready = async () => (await problemsOf(service)).length === 0 || undefined;
    await eventually(ready, PATIENCE_MS, "P3.3 is ready again");
  });

  it("warns that its permits are unsigned if it has no key", async () => {
    const service = await rig.start("governor", { GOV_SIGNING_KEY_FILE: "" });
    const warning = service.waitForLog(({ msg }) => msg.startsWith("permits are unsigned"), PATIENCE_MS);
    expect(await warning).toMatchObject({
      msg: "permits are unsigned: GOV_SIGNING_KEY_FILE is not set",
      level: WARN,
    });
  });

  it.each([
    ["that is missing", "none.pem", "does not exist"],
    ["of public keys", PUBLIC_KEYS_FILE, "has mode 0644: others must have no access to a private key"],
  ])("does not start with a file %s", async (_, name, why) => {
    const file = join(rig.keysFolder, name);
    const start = rig.start("governor", { GOV_SIGNING_KEY_FILE: file });
    await expect(start).rejects.toThrow(`governor cannot start: GOV_SIGNING_KEY_FILE: ${file} ${why}`);
    await expect(start).rejects.toThrow("ended with 2 before it was ready");
  });
});

describe("what is private", () => {
  it("stands in no log, metric, readiness, configuration or key of Redis", async () => {
    const { client } = rig;
    const [, found] = await client.scan("0", "COUNT", KEYS_SCANNED);
    const dumps = await Promise.all(found.map((key) => client.dumpBuffer(key)));
    const shown = await Promise.all(
      [...services.values()].map(async ({ url, logs }) => {
        const pages = ["metrics", "readyz", "healthz"].map(async (page) =>
          (await fetch(`${url}/${page}`)).text(),
        );
        return [JSON.stringify(logs), ...(await Promise.all(pages))].join("\n");
      }),
    );
    const all = [...shown, ...dumps.map((dump) => dump.toString("latin1"))].join("\n");
    expect(all.length).toBeGreaterThan(10_000);
    expect(secrets.length).toBe(3);
    for (const secret of secrets) {
      const body = Buffer.from(secret.split("\n")[1] ?? "", "base64");
      // PKCS #8 ends with the 32 secret bytes.
      const seed = body.subarray(-32);
      for (const text of [
        seed.toString("hex"),
        seed.toString("latin1"),
        seed.toString("base64").slice(0, 40),
        body.toString("base64").slice(-40),
      ])
        expect(all).not.toContain(text);
    }
  });
});
