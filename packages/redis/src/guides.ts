/** Those who know where masters are, for as long as this process asks them: the Sentinels, or some nodes of a cluster. */
import { setTimeout as delay } from "node:timers/promises";
import { optionsOf, RedisClient, retryAfterMs } from "./client.ts";
import { type Claim, claimOfSentinel, claimsOfNode, NoMasterError, type SlotRange } from "./masters.ts";
import { type Address, type ClusterUrl, type SentinelUrl, writeAddress } from "./url.ts";

export const ANSWER_WITHIN_MS = 1_000;
/** So long the others may answer after the first: one of them may know of a newer master. */
const OTHERS_WITHIN_MS = 100;

export class Guides {
  readonly #url: SentinelUrl | ClusterUrl;
  readonly #guides: readonly { address: Address; client: RedisClient }[];
  #asking: Promise<Claim[]> | undefined;

  constructor(url: SentinelUrl | ClusterUrl) {
    this.#url = url;
    const addresses = url.kind === "sentinel" ? url.sentinels : url.nodes;
    this.#guides = addresses.map((address) => ({ address, client: connect(url, address) }));
  }

  /**
   * What they say now; those who ask at the same time share an answer.
   * @throws {@link NoMasterError} if none of them says anything
   */
  ask(): Promise<Claim[]> {
    return (this.#asking ??= this.#askAll().finally(() => (this.#asking = undefined)));
  }

  async #askAll(): Promise<Claim[]> {
    const claims: Claim[] = [];
    const failures: { address: Address; error: Error }[] = [];
    const first = Promise.withResolvers<void>();
    const all = Promise.all(
      this.#guides.map(async ({ address, client }) => {
        try {
          claims.push(...(await this.#claims(address, client)));
          first.resolve();
        } catch (error) {
          failures.push({ address, error: error as Error });
        }
      }),
    );
    await Promise.race([all, first.promise.then(() => delay(OTHERS_WITHIN_MS, undefined, { ref: false }))]);
    // A cluster's node that knows of no slot has answered, too.
    if (failures.length < this.#guides.length) return [...claims];
    const who = this.#url.kind === "sentinel" ? "no Sentinel" : "no node of the cluster";
    const why = failures.map(({ address, error }) => `${writeAddress(address)}: ${error.message}`).join("; ");
    throw new NoMasterError(
      `${who} says where the master is (${why})`,
      failures.map(({ error }) => error),
    );
  }

  async #claims(address: Address, client: RedisClient): Promise<Claim[]> {
    try {
      if (this.#url.kind === "sentinel") return [await askSentinel(client, this.#url.name)];
      return await askNode(client, address);
    } catch (error) {
      throw meaningOf(client.problem ?? (error as Error), this.#url);
    }
  }

  close(): void {
    for (const { client } of this.#guides) client.disconnect();
  }
}

function connect(url: SentinelUrl | ClusterUrl, { host, port }: Address): RedisClient {
  const [user, password] =
    url.kind === "sentinel" ? [url.sentinelUser, url.sentinelPassword] : [url.user, url.password];
  return new RedisClient({
    host,
    port,
    ...optionsOf(url, user, password),
    connectionName: "where-is-the-master",
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: ANSWER_WITHIN_MS,
    // By default, closing one that is not there keeps the process alive for 2 s.
    disconnectTimeout: 0,
    commandTimeout: ANSWER_WITHIN_MS,
    socketTimeout: ANSWER_WITHIN_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: retryAfterMs,
  });
}

async function askSentinel(client: RedisClient, name: string): Promise<Claim> {
  const [master, address] = await Promise.all([
    client.call("SENTINEL", "MASTER", name) as Promise<string[]>,
    client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name) as Promise<string[] | null>,
  ]);
  if (address === null) throw new Error("ERR No such master with that name");
  return claimOfSentinel(master, address);
}

async function askNode(client: RedisClient, asked: Address): Promise<Claim[]> {
  const [slots, nodes] = await Promise.all([
    client.call("CLUSTER", "SLOTS") as Promise<SlotRange[]>,
    client.call("CLUSTER", "NODES") as Promise<string>,
  ]);
  return claimsOfNode(slots, nodes, asked);
}

/** In words for whoever wrote the URL; the table of dispositions knows them. */
function meaningOf(error: Error, url: SentinelUrl | ClusterUrl): Error {
  const { message } = error;
  if (url.kind === "cluster") {
    if (/^ERR unknown command|cluster support disabled/i.test(message))
      return new Error("is no node of a cluster");
    return error;
  }
  if (/^ERR No such master/i.test(message)) return new Error(`knows no master named ${url.name}`);
  if (/^ERR unknown command/i.test(message)) return new Error("is no Sentinel");
  return error;
}
