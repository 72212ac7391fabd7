/** The page: files of `page/` and modules of other packages, each served under its exact path and no other. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { VENDOR } from "./vendor.ts";

const FOLDER = join(import.meta.dirname, "../page");
const INDEX = "index.html";

/** What of the folder is the page; a test of it is not. */
const SERVED = /^[\w-]+\.(css|html|mjs|svg)$/;

export async function servePage(http: FastifyInstance): Promise<void> {
  await http.register(fastifyStatic, { root: FOLDER, serve: false, cacheControl: false });
  const serve = (path: string, file: string, folder: string) =>
    http.get(path, async (_, reply) => reply.sendFile(file, folder));
  for (const file of await readdir(FOLDER)) if (SERVED.test(file)) serve(`/${file}`, file, FOLDER);
  serve("/", INDEX, FOLDER);
  for (const [path, specifier] of Object.entries(VENDOR)) {
    const file = fileURLToPath(import.meta.resolve(specifier));
    serve(path, basename(file), dirname(file));
  }
}

/** Nothing comes from elsewhere, and of inline scripts only what the page's file has runs. */
export async function contentSecurityPolicy(): Promise<string> {
  const hashes = inlineScripts(await readFile(join(FOLDER, INDEX), "utf8")).map(
    (script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`,
  );
  return [
    "default-src 'none'",
    `script-src ${["'self'", ...hashes].join(" ")}`,
    "worker-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

export function inlineScripts(html: string): string[] {
  const scripts = html.replaceAll(/<!--[\s\S]*?-->/g, "").matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/gi);
  return [...scripts].flatMap(([, attributes = "", text = ""]) =>
    /\bsrc\s*=/i.test(attributes) ? [] : [text],
  );
}
