/** Finds a Chromium for the tests of the console's page: `CHROMIUM_PATH`, or one on the PATH. */
import { isExecutable, onPath } from "./distribution-package.ts";

/** As Debian, other distributions, and Google name it. */
const COMMANDS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Throws an error with a one-line message that says what to install. */
export async function findChromium(): Promise<string> {
  const given = process.env["CHROMIUM_PATH"] ?? "";
  if (given !== "") {
    if (await isExecutable(given)) return given;
    throw new Error(`CHROMIUM_PATH names ${given}, which is no program`);
  }
  for (const command of COMMANDS) {
    const found = await onPath(command);
    if (found !== undefined) return found;
  }
  throw new Error(
    "the browser tests need Chromium, and none is on the PATH: install the system's package chromium, or name one with CHROMIUM_PATH",
  );
}
