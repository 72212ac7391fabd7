/** All that a pipeline keeps in Redis, for those who look at it from outside: launcher, campaign and tests. */
import { createIntakeKeys } from "@quantum/contract";
import { connectForBlocking, connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { openPartitions, type Partitions, type Place } from "@quantum/service-kit";

export interface PipelineRedis {
  readonly partitions: Partitions;
  /** Where the publishers' proposals are. With one partition, it is that partition. */
  readonly intake: Place;
  /** A command connection to the server that has this key, such as one of the wire's. */
  readonly connectTo: (key: string) => RedisClient;
  /** Closes every connection. */
  close(): Promise<void>;
}

export interface PipelineRedisOptions {
  /** Of a server, of Sentinels or of a cluster. */
  url: string;
  /** As in PARTITIONS. */
  partitions: number;
  /** Shown in `CLIENT LIST`. */
  name: string;
  /** Problems of connections, which reconnect by themselves. Default: nobody hears of them. */
  onError?: (error: Error) => void;
}

export function openPipelineRedis(options: PipelineRedisOptions): PipelineRedis {
  const { url, name, onError = () => undefined } = options;
  const opened = new Set<RedisClient>();
  const open = (make: typeof connectForCommands, slotOf: string) => {
    const client = make({ url, name, slotOf, onError });
    opened.add(client);
    client.once("end", () => opened.delete(client));
    return client;
  };
  const connectTo = (key: string) => open(connectForCommands, key);
  const connections = (key: string) => ({
    redis: connectTo(key),
    connectForBlocking: () => open(connectForBlocking, key),
  });
  const partitions = openPartitions(options.partitions, connections);
  const keys = createIntakeKeys(options.partitions);
  return {
    partitions,
    intake: options.partitions === 1 ? partitions.account : { keys, ...connections(keys.streams.proposal) },
    connectTo,
    async close() {
      await Promise.all([...opened].map(disconnect));
    },
  };
}
