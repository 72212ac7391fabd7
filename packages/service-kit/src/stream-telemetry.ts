/**
 * Logs and metrics of every consumer. Errors are logged once, where the disposition is decided; metrics are read when
 * scraped.
 */
import { locate } from "@quantum/contract";
import { type GroupHealth, groupHealth, pythonConsumers, type StreamConsumer } from "@quantum/streams";
import type { Logger } from "pino";
import { sharedReading } from "./shared-reading.ts";
import { Counter, Gauge, type Registry } from "prom-client";

export function observeConsumers(
  consumers: readonly StreamConsumer[],
  registry: Registry,
  log: Logger,
): void {
  const labelNames = ["stream", "partition", "group"] as const;
  const handled = new Counter({
    name: "quantum_stream_handled_total",
    help: "Entries handled, by disposition (done, ack, retry, dead)",
    labelNames: [...labelNames, "disposition"],
    registers: [registry],
  });
  const dead = new Counter({
    name: "quantum_stream_dead_letter_total",
    help: "Entries moved to the dead-letter stream",
    labelNames,
    registers: [registry],
  });
  const lost = new Counter({
    name: "quantum_stream_group_lost_total",
    help: "Times the consumer group was found missing",
    labelNames,
    registers: [registry],
  });
  const reclaimed = new Counter({
    name: "quantum_stream_reclaimed_total",
    help: "Pending entries reclaimed from other consumers",
    labelNames,
    registers: [registry],
  });
  const deleted = new Counter({
    name: "quantum_stream_deleted_total",
    help: "Entries that were deleted while they were pending",
    labelNames,
    registers: [registry],
  });
  const health = sharedReading(() => readHealth(consumers));
  const gauge = (name: string, help: string, value: (health: GroupHealth) => number) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        for (const { labels, found } of (await health()) ?? []) this.set(labels, value(found));
      },
    });
  gauge("quantum_stream_lag", "Entries not yet delivered to the group", ({ lag }) => lag);
  gauge("quantum_stream_pending", "Entries delivered and not acknowledged", ({ pending }) => pending);
  gauge(
    "quantum_stream_oldest_idle_seconds",
    "Idle time of the oldest pending entry",
    ({ oldestIdleMs }) => oldestIdleMs / 1000,
  );
  new Gauge({
    name: "quantum_stream_python_consumers",
    help: "Consumers of a Python service that received an entry in the last minute: two services of one role are running",
    labelNames,
    registers: [registry],
    async collect() {
      // In parallel: consecutive deadlines would outlast the scrape.
      await Promise.all(
        consumers.map(async (consumer) => {
          const { redis, stream, group } = consumer;
          const names = await pythonConsumers(redis, stream, group).catch(() => undefined);
          if (names !== undefined) this.set(labelsOf(consumer), names.length);
        }),
      );
    },
  });
  new Gauge({
    name: "quantum_stream_read_silence_seconds",
    help: "Time since the last answered read; an idle reader gets an answer every five seconds",
    labelNames,
    registers: [registry],
    collect() {
      for (const consumer of consumers) this.set(labelsOf(consumer), consumer.silence.readMs / 1000);
    },
  });

  for (const consumer of consumers) {
    const labels = labelsOf(consumer);
    const at = { stream: consumer.stream, group: consumer.group };
    // Starts counters at 0. A counter that first appears with its first event shows no increase to a rate.
    for (const counter of [dead, reclaimed, deleted, lost]) counter.inc(labels, 0);
    consumer.on("handled", ({ entry, disposition, tookMs }) => {
      handled.inc({ ...labels, disposition: disposition.kind });
      if (disposition.kind === "retry")
        log.warn(
          { ...at, entry: entry.id, reason: disposition.reason, tookMs },
          "entry left pending, it will be delivered again",
        );
    });
    consumer.on("reclaimed", ({ count }) => {
      reclaimed.inc(labels, count);
      log.warn({ ...at, count }, "pending entries taken over");
    });
    consumer.on("deadLettered", ({ entry, reason }) => {
      dead.inc(labels);
      log.error({ ...at, entry: entry.id, reason }, "entry moved to the dead-letter stream");
    });
    consumer.on("deleted", ({ ids }) => {
      deleted.inc(labels, ids.length);
      log.error(
        { ...at, entries: ids },
        "entries were deleted while they were pending and cannot be handled",
      );
    });
    consumer.on("group", ({ created }) => {
      if (created) log.info(at, "consumer group created at 0");
    });
    consumer.on("groupLost", () => {
      lost.inc(labels);
      log.error(
        at,
        "consumer group lost: created again at 0; entries are delivered again, and decided ones keep their decision",
      );
    });
    consumer.on("failed", ({ doing, error }) =>
      log.error({ ...at, err: error }, `failed to ${doing}, trying again`),
    );
  }
}

/** The stream by its name on the wire, as rules and dashboards know it. The wire's own has no label `partition`. */
function labelsOf({ stream, group }: StreamConsumer) {
  const { where, wireName } = locate(stream);
  return {
    stream: wireName,
    ...(typeof where === "number" && { partition: `q${where}` }),
    group,
  };
}

/** During an outage a scrape shows the last values; /readyz reports the outage. */
async function readHealth(consumers: readonly StreamConsumer[]) {
  const read = await Promise.allSettled(
    consumers.map(async (consumer) => {
      const { redis, stream, group } = consumer;
      return { labels: labelsOf(consumer), found: await groupHealth(redis, stream, group) };
    }),
  );
  return read.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}
