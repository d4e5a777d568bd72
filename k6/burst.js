// A storm: from 50 to 500 senders within seconds, none of which pauses, of one integration that may send less than that. What is
// too much must be refused cleanly (429 with Retry-After), nothing may fail (no 5xx), and afterwards all must be as before.
import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import http from 'k6/http';
import { duration, send, summary, summaryTrendStats, value } from './tocsin.js';

// 429 is what a storm is answered with, so it is no failure.
http.setResponseCallback(http.expectedStatuses(200, 429));

const MOST = 500;
const accepted = new Counter('accepted');
const limited = new Counter('limited');
const failed = new Counter('answered_5xx');
const unanswered = new Counter('unanswered');
const flood = new Trend('flood_duration', true);
const recovery = new Trend('recovery_duration', true);

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
    limited: ['count>0'],
    answered_5xx: ['count==0'],
    unanswered: ['count==0'],
    flood_duration: ['p(99)<55'],
    recovery_duration: ['p(99)<55'],
  },
};

// Counts an answer, and checks that a refusal says when to come back.
function judge(answer, trend) {
  const { status } = answer;
  trend.add(answer.timings.duration);
  failed.add(status >= 500 ? 1 : 0);
  unanswered.add(status === 0 ? 1 : 0);
  accepted.add(status === 200 ? 1 : 0);
  limited.add(status === 429 ? 1 : 0);
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
  judge(send(), flood);
}

export function recovered() {
  const answer = send();
  recovery.add(answer.timings.duration);
  failed.add(answer.status >= 500 ? 1 : 0);
  unanswered.add(answer.status === 0 ? 1 : 0);
  check(answer, { 'is answered after the storm': ({ status }) => status === 200 || status === 429 });
  sleep(1);
}

export function handleSummary(data) {
  const answers = (value(data, 'accepted', 'count') || 0) + (value(data, 'limited', 'count') || 0);
  return summary(data, {
    'ingest.flood_rps': answers / (length + 2 * seconds(RAMP)),
    'ingest.flood_accepted': value(data, 'accepted', 'count'),
    'ingest.flood_limited': value(data, 'limited', 'count'),
    'ingest.flood_5xx': value(data, 'answered_5xx', 'count'),
    'ingest.flood_unanswered': value(data, 'unanswered', 'count'),
    'ingest.flood_p99_ms': value(data, 'flood_duration', 'p(99)'),
    'ingest.recovery_p99_ms': value(data, 'recovery_duration', 'p(99)'),
  });
}
