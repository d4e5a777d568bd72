// Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html, section 9.2.6) from the pieces
// in which they arrive. The browser's own EventSource hides heartbeats and the status of a refusal; this does not.

export interface StreamEvent {
  /** The id to resume after; the last one that was given. */
  id: string;
  type: string;
  data: string;
}

/** Takes pieces of text in order; gives the events that they complete. */
export class EventStreamParser {
  private rest = '';
  private lastId = '';
  private type = '';
  private data: string[] = [];

  push(text: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    // A CR at the end may be half of a CRLF: it waits for what follows.
    const all = this.rest + text;
    const end = all.endsWith('\r') ? all.length - 1 : all.length;
    const lines = all.slice(0, end).split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? '') + all.slice(end);
    for (const line of lines) {
      const event = this.line(line);
      if (event) events.push(event);
    }
    return events;
  }

  private line(line: string): StreamEvent | null {
    if (line === '') return this.dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.type = value;
    else if (field === 'id' && !value.includes('\0')) this.lastId = value;
    return null;
  }

  private dispatch(): StreamEvent | null {
    const { type, data } = this;
    this.type = '';
    this.data = [];
    return data.length === 0 ? null : { id: this.lastId, type: type || 'message', data: data.join('\n') };
  }
}
