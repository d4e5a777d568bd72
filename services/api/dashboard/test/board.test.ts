import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelOf, matches, readFilter } from '../src/pages/board/filter';
import { compare, MAX_LIVE_ROWS, merge, withChange } from '../src/pages/board/order';
import { incident } from './make';

const filter = (query: string) => readFilter(new URLSearchParams(query));
const numbers = (list: readonly { incident_number: number }[]) => list.map(({ incident_number }) => incident_number);

test('the worst comes first, then the newest', () => {
  const list = [
    incident({ incident_number: 1, severity: 'low' }),
    incident({ incident_number: 2, severity: 'critical' }),
    incident({ incident_number: 3, severity: 'critical' }),
    incident({ incident_number: 4, severity: 'high' }),
  ];
  assert.deepEqual(numbers(list.sort(compare)), [3, 2, 4, 1]);
});

test('what is over goes by time alone', () => {
  const list = [incident({ incident_number: 1, severity: 'critical', status: 'resolved' }), incident({ incident_number: 2, severity: 'low', status: 'resolved' })];
  assert.deepEqual(numbers(list.sort(compare)), [2, 1]);
});

test('of two versions the newer one stays, in whichever order they come', () => {
  const [old, recent] = [incident({ version: 1 }), incident({ version: 2, title: 'new' })];
  assert.equal(merge([old], [recent])[0]?.title, 'new');
  assert.equal(merge([recent], [old])[0]?.title, 'new');
});

const boardOf = (...incidents: ReturnType<typeof incident>[]) => ({ incidents, total: incidents.length });

test('a change brings an incident, keeps it, or takes it away', () => {
  const [open, board] = [filter(''), boardOf(incident({ incident_number: 1 }))];
  const grown = withChange(board, incident({ incident_number: 2 }), open);
  assert.deepEqual([numbers(grown.incidents), grown.total], [[2, 1], 2]);
  assert.deepEqual(withChange(board, incident({ incident_number: 1, version: 2, status: 'resolved' }), open), { incidents: [], total: 0 });
  const kept = withChange(board, incident({ incident_number: 1, version: 2, status: 'acknowledged' }), open);
  assert.deepEqual([kept.incidents[0]?.status, kept.total], ['acknowledged', 1]);
});

test('old news and news of others change nothing', () => {
  const board = boardOf(incident({ version: 5 }));
  assert.equal(withChange(board, incident({ version: 4, status: 'resolved' }), filter('')), board);
  assert.equal(withChange(board, incident({ incident_number: 9, severity: 'low' }), filter('severity=critical')), board);
});

test('in a storm the worst stay, and all are counted', () => {
  let board = boardOf(incident({ incident_number: 1, severity: 'critical' }));
  for (let number = 2; number <= MAX_LIVE_ROWS + 20; number += 1) board = withChange(board, incident({ incident_number: number, severity: 'low' }), filter(''));
  assert.deepEqual([board.incidents.length, board.total, board.incidents[0]?.incident_number], [MAX_LIVE_ROWS, MAX_LIVE_ROWS + 20, 1]);
});

test('a filter reads what its address says, and ignores what makes no sense', () => {
  assert.deepEqual(filter('status=resolved&severity=high&label=a%3Db&label=c%3D%22d%22&q=disk'), { status: 'resolved', severity: 'high', labels: ['a=b', 'c=d'], text: 'disk' });
  assert.deepEqual(filter('status=burning&severity=worst&label=nothing'), { status: 'open', severity: null, labels: [], text: '' });
});

test('a filter takes what the API would', () => {
  const it = incident({ labels: { team: 'web', path: 'a=b' }, title: 'Disk full', severity: 'high' });
  for (const [query, expected] of [
    ['', true],
    ['label=team%3Dweb', true],
    ['label=team%3Ddb', false],
    ['label=path%3Da%3Db', true],
    ['label=team!%3Dweb', false],
    ['label=team%3D~w.%2B', true],
    ['label=team%3D~w', false],
    ['label=team!~db%7Cweb', false],
    ['label=absent%3D', true],
    ['label=absent!%3D', false],
    ['q=DISK', true],
    ['q=cpu', false],
    ['severity=high', true],
    ['severity=low', false],
    ['status=acknowledged', false],
  ] as const) {
    assert.equal(matches(filter(query), it), expected, query);
  }
});

test('labels are pairs, however they are written', () => {
  assert.equal(labelOf(' team = "web" '), 'team=web');
  assert.equal(labelOf('empty='), 'empty=');
  assert.equal(labelOf('team'), null);
  assert.equal(labelOf('=web'), null);
  assert.equal(labelOf('team =~ "a|b"'), 'team=~a|b');
  assert.equal(labelOf('team!~('), null, 'what is no expression');
  assert.equal(labelOf('note=say "x"'), 'note=say "x"');
});
