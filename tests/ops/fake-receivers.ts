/** What alerts are sent to: an HTTP server for webhooks, Slack and Telegram, and a mail server. */
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

export interface FakeReceivers {
  /** Of the HTTP server, HOST:PORT. */
  readonly address: string;
  /** Of the mail server, HOST:PORT. */
  readonly mailAddress: string;
  /** The bodies that arrived at this path, parsed, in their order. */
  heard(path: string): readonly unknown[];
  /** The mails that arrived, header and body, as one text each. */
  readonly mails: readonly string[];
  stop(): void;
}

export async function startReceivers(): Promise<FakeReceivers> {
  const bodies = new Map<string, unknown[]>();
  const http = createHttpServer((request, response) => void takeBody(request, response, bodies));
  const mails: string[] = [];
  const mail = createServer((socket) => void receiveMail(socket, mails));
  return {
    address: await listening(http),
    mailAddress: await listening(mail),
    heard: (path) => bodies.get(path) ?? [],
    mails,
    stop() {
      http.close();
      http.closeAllConnections();
      mail.close();
    },
  };
}

async function listening(server: Server): Promise<string> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function takeBody(
  request: IncomingMessage,
  response: ServerResponse,
  bodies: Map<string, unknown[]>,
): Promise<void> {
  const path = request.url ?? "";
  const body: unknown = JSON.parse(await text(request));
  bodies.set(path, [...(bodies.get(path) ?? []), body]);
  // What Telegram answers; the others look at the status alone.
  response.setHeader("content-type", "application/json");
  response.end('{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":1,"type":"group"}}}');
}

/** As much of SMTP as a client needs that wants neither TLS nor a login. */
async function receiveMail(socket: Socket, mails: string[]): Promise<void> {
  const say = (line: string) => socket.write(`${line}\r\n`);
  let content: string[] | undefined;
  say("220 ready");
  for await (const line of createInterface({ input: socket, crlfDelay: Infinity })) {
    if (content !== undefined) {
      if (line === ".") {
        // A line that ends in = goes on in the next one.
        mails.push(content.join("\n").replaceAll("=\n", ""));
        content = undefined;
        say("250 taken");
      } else content.push(line);
    } else if (line === "DATA") {
      content = [];
      say("354 go on");
    } else if (line === "QUIT") {
      socket.end("221 bye\r\n");
    } else say("250 fine");
  }
}
