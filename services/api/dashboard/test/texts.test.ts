import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemOf, remedy } from '../src/api/problem';
import { chord } from '../src/keyboard';
import { annotationLinks, linksOf, outsideAddress } from '../src/links';
import { fault, read, write } from '../src/matchers';
import { endOf } from '../src/pages/silences/DurationField';
import { compact, linePoints, MAX_POINTS, Series } from '../src/pages/system/series';
import { pageOf, safeNext } from '../src/router';
import { duration, relative } from '../src/time';
import { decisive, groupParts, suppression } from '../src/ui/explanation';

test('only http and https become links', () => {
  assert.equal(outsideAddress('https://wiki.example/a b'), 'https://wiki.example/a%20b');
  for (const text of ['javascript:alert(1)', 'JAVASCRIPT:alert(1)', ' javascript:alert(1)', 'data:text/html,x', '//evil.example', '/path', 'https://', 'https://bank.example@evil.example/', 'vbscript:x', 'java\nscript:alert(1)']) {
    assert.equal(outsideAddress(text), null, text);
  }
  assert.deepEqual(annotationLinks({ runbook_url: 'http://w.example/', note: 'text' }), [{ name: 'Runbook', address: 'http://w.example/' }]);
  assert.equal(linksOf([{ annotations: { runbook: 'http://w.example/' } }, { annotations: { runbook: 'http://w.example/' } }]).length, 1);
});

test('nobody is sent elsewhere after signing in', () => {
  assert.equal(safeNext('/incidents/7?x=1'), '/incidents/7?x=1');
  for (const next of [null, '', 'https://evil.example', '//evil.example', '/\\evil.example', '/a\\b', '/\t/evil', '/sign-in', '/api/v1/oidc/start', 'javascript:alert(1)']) {
    assert.equal(safeNext(next), '/', String(next));
  }
});

test('addresses lead to pages', () => {
  assert.deepEqual(pageOf('/'), { name: 'board' });
  assert.deepEqual(pageOf('/incidents/12/'), { name: 'incident', id: '12' });
  assert.deepEqual(pageOf('/alerts/a%20b'), { name: 'alert', id: 'a b' });
  assert.deepEqual(pageOf('/dead-letters'), { name: 'dead-letters' });
  for (const path of ['/nothing', '/silences/1', '/incidents/1/2']) assert.deepEqual(pageOf(path), { name: 'nowhere' }, path);
  assert.deepEqual(pageOf('/incidents/%'), { name: 'incident', id: '%' });
});

test('times are short', () => {
  for (const [seconds, text] of [[0, '0 s'], [59, '59 s'], [60, '1 min'], [3_599, '59 min'], [3_660, '1 h 1 min'], [36_060, '10 h'], [90_000, '1 d 1 h'], [864_000, '10 d']] as const) {
    assert.equal(duration(seconds), text);
  }
  assert.equal(relative(0, 120_000), '2 min ago');
  assert.equal(relative(120_000, 0), 'in 2 min');
  assert.equal(relative(3_000, 0), 'just now');
});

test('a matcher comes back as it was written', () => {
  for (const matcher of [
    { name: 'team', operator: '=', value: 'web' },
    { name: 'a b', operator: '!=', value: 'say "x"\\y' },
    { name: 'host', operator: '=~', value: 'db-.*|"' },
    { name: 'x', operator: '!~', value: 'line\nbreak' },
  ] as const) {
    assert.deepEqual(read(write(matcher)), matcher);
  }
  assert.equal(write({ name: 'team', operator: '=', value: 'web' }), 'team="web"');
  assert.equal(read('nothing'), null);
});

test('what is wrong with matchers is said before they are sent', () => {
  assert.match(fault([]) ?? '', /at least one/i);
  assert.match(fault([{ name: '', operator: '=', value: 'x' }]) ?? '', /name/);
  assert.match(fault([{ name: 'a', operator: '=~', value: '(' }]) ?? '', /regular expression/);
  assert.match(fault([{ name: 'a', operator: '=~', value: '.*' }]) ?? '', /is there/);
  assert.equal(fault([{ name: 'a', operator: '=', value: 'b' }]), null);
});

test('a silence ends in the time to come', () => {
  assert.equal(endOf('3600', '', 0)?.getTime(), 3_600_000);
  assert.equal(endOf('until', '', 0), null);
  assert.equal(endOf('until', '1999-01-01T00:00', Date.now()), null);
});

test('two keys are one command if the second follows', () => {
  const known = (name: string) => ['g b', 'b', 'j'].includes(name);
  assert.deepEqual(chord('g', '', known), { run: null, pending: 'g' });
  assert.deepEqual(chord('b', 'g', known), { run: 'g b', pending: '' });
  assert.deepEqual(chord('j', 'g', known), { run: 'j', pending: '' });
  assert.deepEqual(chord('Shift', 'g', known), { run: null, pending: 'g' });
});

test('a series keeps a bounded past, and forgets what is gone', () => {
  const series = new Series();
  for (let index = 0; index < MAX_POINTS + 30; index += 1) series.push({ lag: index, gone: 1 });
  series.push({ lag: 7 });
  assert.equal(series.get('lag').length, MAX_POINTS);
  assert.equal(series.get('lag').at(-1), 7);
  assert.deepEqual(series.get('gone'), []);
  assert.equal(linePoints([0, 5], 100, 20, 3), '50,20 100,0');
  assert.deepEqual([0, 0.42, 12, 999, 12_345, 2_500_000].map(compact), ['0', '0.4', '12', '999', '12.3k', '2.5M']);
});

test('an explanation names what keeps quiet, and where it is', () => {
  assert.deepEqual(suppression('silence:7'), { text: 'a silence', address: '/silences?id=7' });
  assert.equal(suppression('inhibition:9').address, '/alerts/9');
  assert.deepEqual(groupParts('{}/{team="a:{b"}:{alertname="Down"}'), { route: '{}/{team="a:{b"}', labels: '{alertname="Down"}' });
  const decision = { event_id: '', received_at: '', applied_at: '', alert_id: null, incident_id: null, routes: null, group_key: null, suppressed_by: null, notices: null, event: null };
  assert.equal(decisive([{ ...decision, outcome: 'sign_of_life' }, { ...decision, outcome: 'opened' }])?.outcome, 'opened');
});

test('a problem says what happened, and what to do', () => {
  const problem = problemOf(409, { code: 'invalid_transition', detail: 'incident 12 is resolved; reopen it first', request_id: 'r-1' }, null);
  assert.deepEqual([problem.detail, problem.requestId, problem.passes], ['incident 12 is resolved; reopen it first', 'r-1', false]);
  assert.match(remedy(problem), /look at it again/i);
  const plain = problemOf(502, '<html>', 'r-2');
  assert.deepEqual([plain.code, plain.requestId, plain.passes], ['unknown', 'r-2', true]);
});
