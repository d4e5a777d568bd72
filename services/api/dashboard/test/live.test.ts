import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs, LONGEST_MS } from '../src/live/backoff';
import { EventStreamParser } from '../src/live/event-stream';

const STREAM = ': beat\n\nid: 7\nevent: incident\ndata: {"a":\ndata: 1}\n\ndata: x\r\n\r\nevent: reset\rdata: {}\r\r';
const EVENTS = [
  { id: '7', type: 'incident', data: '{"a":\n1}' },
  { id: '7', type: 'message', data: 'x' },
];

test('events are read however they are cut', () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const parser = new EventStreamParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
    // The last CR may be half of a CRLF: what follows decides.
    events.push(...parser.push('\n'));
    assert.deepEqual(events, [...EVENTS, { id: '7', type: 'reset', data: '{}' }], `pieces of ${size}`);
  }
});

test('comments and events without data are none', () => {
  const parser = new EventStreamParser();
  assert.deepEqual(parser.push(': beat\n\nevent: incident\n\nid: 3\n\n'), []);
  assert.deepEqual(parser.push('data:y\n\n'), [{ id: '3', type: 'message', data: 'y' }]);
});

test('waits grow to a bound, and differ', () => {
  for (let failures = 0; failures < 40; failures += 1) {
    const [least, most] = [backoffMs(failures, () => 0), backoffMs(failures, () => 1)];
    assert.ok(least >= 250 && least < most && most <= LONGEST_MS, `${failures}: ${least} to ${most}`);
  }
  assert.equal(backoffMs(40, () => 1), LONGEST_MS);
});
