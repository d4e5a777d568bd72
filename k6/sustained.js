// Fifty senders that go on: each sends a webhook, waits for its answer, and rests a moment. What an ordinary bad day looks like.
import { check, sleep } from 'k6';
import { duration, send, summary, summaryTrendStats, users, value } from './tocsin.js';

export const options = {
  scenarios: { sustained: { executor: 'constant-vus', vus: users, duration, gracefulStop: '10s' } },
  summaryTrendStats,
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    http_req_duration: ['med<1.55', 'p(95)<2.82', 'p(99)<10'],
  },
};

export default function () {
  check(send(), {
    'is accepted': ({ status }) => status === 200,
    'counts one alert': (answer) => answer.status === 200 && answer.json('received') === 1,
  });
  // 50 to 150 ms: some 500 webhooks in a second, all together.
  sleep(0.05 + Math.random() * 0.1);
}

export function handleSummary(data) {
  return summary(data, {
    'ingest.sustained_p50_ms': value(data, 'http_req_duration', 'med'),
    'ingest.sustained_p95_ms': value(data, 'http_req_duration', 'p(95)'),
    'ingest.sustained_p99_ms': value(data, 'http_req_duration', 'p(99)'),
    'ingest.sustained_rps': value(data, 'http_reqs', 'rate'),
    'ingest.sustained_failed': value(data, 'http_req_failed', 'passes'),
  });
}
