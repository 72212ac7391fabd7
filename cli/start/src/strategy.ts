/**
 * The simulated account's strategy opens again what orders have closed, so that proposals go on. Under the kill switch it
 * stops, as its owner would: otherwise an operator who closes everything could never finish.
 */
import { switchStrategy } from "@quantum/harness";
import { every, type Partitions, readKillSwitch } from "@quantum/service-kit";

const LOOK_MS = 100;

/**
 * Until it is stopped. An operator halts all partitions, so one tells. A Redis or an exchange that does not answer is asked
 * again: the run itself reports it.
 */
export function haltStrategy({ account }: Partitions, exchangeUrl: string) {
  let halted = false;
  const look = async () => {
    const { on } = await readKillSwitch(account.redis, account.keys);
    if (on === halted) return;
    await switchStrategy(exchangeUrl, !on);
    halted = on;
  };
  return every(LOOK_MS, look, () => undefined);
}
