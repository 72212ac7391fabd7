/** Run as a worker: a WebSocket server that answers pings, whatever the main thread does. Posts its port. */
import type { AddressInfo } from "node:net";
import { parentPort } from "node:worker_threads";
import { WebSocketServer } from "ws";

/** Longer than the pause between the client's pings, so that one is always under way. */
const ANSWER_MS = 50;

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, autoPong: false });
server.on("connection", (socket) =>
  socket.on("ping", (data) => setTimeout(() => socket.pong(data), ANSWER_MS)),
);
server.on("listening", () => parentPort?.postMessage((server.address() as AddressInfo).port));
