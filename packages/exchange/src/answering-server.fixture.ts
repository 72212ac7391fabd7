/** Run as a worker: a WebSocket server that answers pings, whatever the main thread does. Posts its port. */
import type { AddressInfo } from "node:net";
import { parentPort } from "node:worker_threads";
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("listening", () => parentPort?.postMessage((server.address() as AddressInfo).port));
