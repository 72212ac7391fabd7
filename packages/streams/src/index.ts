export { StreamConsumer } from "./consumer.ts";
export type { ConsumerOptions } from "./consumer-options.ts";
export type { ConsumerEvents } from "./events.ts";
export { moveToDeadLetter } from "./dead-letter.ts";
export { ACK, type Disposition, DONE } from "./disposition.ts";
export { type Entry, fieldsOf, parseEntries, type RawEntry } from "./entry.ts";
export { type GroupHealth, groupHealth, trim } from "./health.ts";
export { PYTHON_CONSUMER, pythonConsumers } from "./python-consumers.ts";
export { removeIdleConsumers } from "./remove-consumers.ts";
