export {
  ACK,
  type ConsumerEvents,
  type ConsumerOptions,
  type Disposition,
  DONE,
  StreamConsumer,
} from "./consumer.ts";
export { moveToDeadLetter } from "./dead-letter.ts";
export { type Entry, fieldsOf, parseEntries, type RawEntry } from "./entry.ts";
export { type GroupHealth, groupHealth, trim } from "./health.ts";
