// A storm: from 50 to 500 senders within seconds, of one integration that may send less than that. What is too much must be refused
// cleanly (429 with Retry-After), nothing may fail (no 5xx), and afterwards all must be as before.
//
// Each pauses for 100 ms after an answer. 500 who never pause would measure their own number: whatever the rate, an answer takes 500
// divided by it, which is 125 ms at 4,000/s.
import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import http from 'k6/http';
import { duration, send, summary, summaryTrendStats, value } from './tocsin.js';

// 429 is what a storm is answered with, so it is no failure.
http.setResponseCallback(http.expectedStatuses(200, 429));

const MOST = 500;
// k6 counts answers by status itself.
const failed = new Counter('answered_5xx');
const unanswered = new Counter('unanswered');
const ACCEPTED = 'http_reqs{scenario:storm,status:200}';
const LIMITED = 'http_reqs{scenario:storm,status:429}';
const FLOOD = 'http_req_duration{scenario:storm}';
const RECOVERY = 'http_req_duration{scenario:after}';

// The storm takes the duration; before it a quiet moment, after it a moment to recover.
const QUIET = '5s';
const RAMP = '5s';

function seconds(text) {
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h)/g)];
  return parts.reduce((sum, [, number, unit]) => sum + number * { ms: 0.001, s: 1, m: 60, h: 3600 }[unit], 0);
}
const length = seconds(duration);
const end = seconds(QUIET) + length + 2 * seconds(RAMP);

export const options = {
  scenarios: {
    before: { executor: 'constant-vus', vus: 50, duration: QUIET, exec: 'steady', tags: { phase: 'before' } },
    storm: {
      executor: 'ramping-vus',
      startTime: QUIET,
      startVUs: 50,
      stages: [
        { duration: RAMP, target: MOST },
        { duration: `${length}s`, target: MOST },
        { duration: RAMP, target: 0 },
      ],
      gracefulRampDown: '10s',
      exec: 'storm',
    },
    // A minute's allowance comes back as time goes by; who rests is accepted again.
    after: { executor: 'constant-vus', vus: 5, startTime: `${end + 2}s`, duration: '10s', exec: 'recovered' },
  },
  summaryTrendStats,
  thresholds: {
    checks: ['rate==1'],
    // Else it was no storm.
    [LIMITED]: ['count>0'],
    [ACCEPTED]: ['count>0'],
    answered_5xx: ['count==0'],
    unanswered: ['count==0'],
    [FLOOD]: ['p(99)<55'],
    [RECOVERY]: ['p(99)<55'],
  },
};

// Sends a webhook, counts an answer that must not be, and checks that a refusal says when to come back.
function sendAndJudge() {
  const answer = send();
  const { status } = answer;
  if (status >= 500) {
    failed.add(1);
  } else if (status === 0) {
    unanswered.add(1);
  }
  check(answer, {
    'is accepted or cleanly refused': () =>
      status === 200 || (status === 429 && Number(answer.headers['Retry-After']) >= 1),
  });
}

export function steady() {
  check(send(), { 'is answered before the storm': ({ status }) => status === 200 || status === 429 });
  sleep(0.1);
}

export function storm() {
  sendAndJudge();
  sleep(0.1);
}

export function recovered() {
  sendAndJudge();
  sleep(1);
}

export function handleSummary(data) {
  // A counter that was never added to is not there.
  const count = (metric) => value(data, metric, 'count') || 0;
  return summary(data, {
    'ingest.flood_rps': (count(ACCEPTED) + count(LIMITED)) / (length + 2 * seconds(RAMP)),
    'ingest.flood_accepted': count(ACCEPTED),
    'ingest.flood_limited': count(LIMITED),
    'ingest.flood_5xx': count('answered_5xx'),
    'ingest.flood_unanswered': count('unanswered'),
    'ingest.flood_p99_ms': value(data, FLOOD, 'p(99)'),
    'ingest.recovery_p99_ms': value(data, RECOVERY, 'p(99)'),
  });
}
