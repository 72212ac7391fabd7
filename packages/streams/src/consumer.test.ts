import { describeConformance } from "./conformance.fixture.ts";
import { StreamConsumer } from "./consumer.ts";

describeConformance("StreamConsumer", (options) => new StreamConsumer(options));
