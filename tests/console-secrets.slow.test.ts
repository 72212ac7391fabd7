/**
 * The console holds no operator's signing key: neither in its environment nor in a file that it has open, nor anywhere in its
 * memory, although the key lies on the same machine. So whoever takes the console over can halt and let go on, as its Redis
 * user may, and can sign no exit.
 */
import { open, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { freePort, RUN_OPERATOR, urlOfUser } from "@quantum/harness";
import { startRig } from "@quantum/harness/rig";
import { operatorKeyFile } from "@quantum/topology";
import { expect, it } from "vitest";

/** In one read. */
const CHUNK_BYTES = 1 << 22;
const PEM = /-----BEGIN PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END/;
/** Of an Ed25519 key in PKCS #8: what stands before its 32 bytes. */
const PREFIX_BYTES = 16;

it.skipIf(process.platform !== "linux")("has no operator's key, wherever one looks", async () => {
  const rig = await startRig();
  try {
    const keyFile = join(rig.keysFolder, operatorKeyFile(RUN_OPERATOR));
    const [, base64 = ""] = PEM.exec(await readFile(keyFile, "utf8")) ?? [];
    const text = base64.replaceAll(/\s/g, "");
    const seed = Buffer.from(text, "base64").subarray(PREFIX_BYTES);
    expect(seed).toHaveLength(32);

    const canary = "a-text-that-is-there-to-be-found";
    const console = await rig.start("console", {
      CONSOLE_PORT: String(await freePort()),
      CONSOLE_OPERATOR_REDIS_URL: urlOfUser(rig.redis.url, "operator"),
      INSTANCE: canary,
    });
    for (const path of ["/", "/api/now", "/api/commands", "/api/symbols"])
      await (await fetch(`${console.url}${path}`)).text();

    const forms = [text, seed.toString("base64"), seed.toString("base64url"), seed.toString("hex"), seed];
    const environment = await readFile(`/proc/${console.pid}/environ`, "latin1");
    for (const form of forms) expect(environment).not.toContain(form.toString("latin1"));
    expect(environment).not.toContain(keyFile);
    const files = await Promise.all(
      (await readdir(`/proc/${console.pid}/fd`)).map((fd) =>
        readlink(`/proc/${console.pid}/fd/${fd}`).catch(() => ""),
      ),
    );
    expect(files.filter((file) => file.startsWith(rig.keysFolder))).toEqual([]);
    const found = await foundInMemory(
      console.pid,
      [canary, ...forms].map((form) => Buffer.from(form)),
    );
    // The search finds what is there.
    expect(found).toEqual([true, ...forms.map(() => false)]);
  } finally {
    await rig.stop();
  }
});

/** Whether any readable part of the process's memory has these bytes, each in turn. */
async function foundInMemory(pid: number, texts: readonly Buffer[]): Promise<boolean[]> {
  const found = texts.map(() => false);
  const overlap = Math.max(...texts.map(({ length }) => length));
  const maps = await readFile(`/proc/${pid}/maps`, "utf8");
  const memory = await open(`/proc/${pid}/mem`, "r");
  try {
    for (const [, start = "", end = "", name = ""] of maps.matchAll(
      /^([0-9a-f]+)-([0-9a-f]+) r.*? \d+ *(.*)$/gm,
    )) {
      // The kernel's own pages cannot be read.
      if (name.startsWith("[v")) continue;
      const last = Number(`0x${end}`);
      for (let at = Number(`0x${start}`); at < last; at += CHUNK_BYTES) {
        const chunk = Buffer.alloc(Math.min(CHUNK_BYTES + overlap, last - at));
        // Reserved, and never written to.
        const read = await memory.read(chunk, 0, chunk.length, at).catch(() => undefined);
        if (read === undefined) continue;
        const bytes = chunk.subarray(0, read.bytesRead);
        for (const [no, text] of texts.entries()) found[no] ||= bytes.includes(text);
      }
    }
    return found;
  } finally {
    await memory.close();
  }
}
