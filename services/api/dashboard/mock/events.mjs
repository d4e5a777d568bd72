// Server-sent events of the mock: resumed after the last id, heartbeats, and a way to cut everybody off.

const KEPT = 500;
const HEARTBEAT_MS = 15_000;

export class Events {
  clients = new Set();
  kept = [];
  last = 0;

  constructor(state) {
    state.on('event', (type, data) => {
      this.last += 1;
      const event = { id: this.last, text: `id: ${this.last}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n` };
      this.kept = [...this.kept, event].slice(-KEPT);
      for (const client of this.clients) client.write(event.text);
    });
    setInterval(() => this.all(': beat\n\n'), HEARTBEAT_MS).unref();
  }

  serve(request, response) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write(': hello\n\n');
    const after = Number(request.headers['last-event-id']);
    if (request.headers['last-event-id'] !== undefined) {
      const known = after === this.last || this.kept.some(({ id }) => id === after);
      if (known) for (const { id, text } of this.kept) if (id > after) response.write(text);
      if (!known) response.write(`id: ${this.last}\nevent: reset\ndata: {}\n\n`);
    }
    this.clients.add(response);
    request.on('close', () => this.clients.delete(response));
  }

  all(text) {
    for (const client of this.clients) client.write(text);
  }

  /** The server forgets what was: who resumes has to load everything. */
  forget() {
    this.kept = [];
    this.last += 1000;
  }
}
