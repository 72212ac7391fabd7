/** For tests: a process that records attempts endlessly, and prints each one when it is on disk. */
import { Journal } from "./journal.ts";

const [, , folder = ""] = process.argv;
/** How many attempts wait for each write. */
const AT_ONCE = 8;

const journal = await Journal.open({ folder, partitions: 1, redisNowMs: () => Date.now() });
console.log("opened");

async function recordOn(lane: number): Promise<never> {
  for (let no = 0; ; no += 1) {
    const planId = (lane * 1_000_000 + no).toString(16).padStart(16, "0");
    const attempt = `${Date.now()}-${lane * 1_000_000 + no}`;
    await journal.record({ planId, attempt, clientOrderId: `qp-${planId}-1`, atMs: Date.now() });
    console.log(planId);
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, (_, lane) => recordOn(lane)));
