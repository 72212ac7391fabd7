/** A Python that examples/issuer.py runs on. */
import { execFileSync } from "node:child_process";

/** Debian's packages belong to its own Python, which may not be the first on the PATH. */
const CANDIDATES = ["python3", "/usr/bin/python3"];
const NEEDS = "import redis, cryptography";

/** Its command, or undefined where no Python has redis-py and cryptography. */
export const PYTHON = CANDIDATES.find((command) => {
  try {
    execFileSync(command, ["-c", NEEDS], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

/** Why tests are skipped: a part of their names. */
export const WITHOUT_PYTHON =
  PYTHON === undefined
    ? " (skipped: needs python3 with redis and cryptography: apt install python3-redis python3-cryptography)"
    : "";
