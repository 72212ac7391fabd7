import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-keys-"));
});
afterAll(() => rm(dir, { recursive: true }));

const provide = (...places: string[]) =>
  promisify(execFile)(process.execPath, [
    join(import.meta.dirname, "provide-keys.ts"),
    join(dir, "issuers.json"),
    ...places,
  ]);
const listed = async () => JSON.parse(await readFile(join(dir, "issuers.json"), "utf8")) as object;

describe("the program that provides keys", () => {
  it("makes an empty list where there is no issuer, then adds each that comes, and changes nothing that is there", async () => {
    expect(await provide()).toEqual({ stdout: "", stderr: "" });
    expect(await listed()).toEqual({});
    const places = ["governor", "p33"].map((issuer) => `${issuer}=${join(dir, `${issuer}.pem`)}`);
    await provide(places[0] ?? "");
    const before = await readFile(join(dir, "governor.pem"), "utf8");
    await provide(...places);
    expect(await readFile(join(dir, "governor.pem"), "utf8")).toBe(before);
    expect(Object.keys(await listed())).toEqual(["governor", "p33"]);
  });

  it.each(["governor", "governor=", "../p33=/tmp/p33.pem"])("refuses %s", async (place) => {
    await expect(provide(place)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("RangeError"),
    });
  });
});
