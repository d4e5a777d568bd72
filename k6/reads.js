// Fifty dashboards and scripts that read: the list of incidents, one of them with its alerts and timeline, the list of alerts.
// What is there is read: fill it first (k6 sustained does, with 200 services).
import { fail, sleep } from 'k6';
import { duration, read, readJson, send, summary, summaryTrendStats, users, value } from './tocsin.js';

export const options = {
  scenarios: { reads: { executor: 'constant-vus', vus: users, duration, gracefulStop: '10s' } },
  summaryTrendStats,
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    'http_req_duration{name:list}': ['p(95)<4.42'],
    'http_req_duration{name:detail}': ['p(95)<2.83'],
    'http_req_duration{name:alerts}': ['p(95)<3.75'],
  },
};

// Ids to read; where there is nothing at all, a webhook makes something.
export function setup() {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const { data } = readJson('/api/v1/incidents?limit=250', 'setup');
    if (data.length > 0) {
      return data.map(({ id }) => id);
    }
    send({ tags: { name: 'setup' } });
    sleep(0.5);
  }
  return fail('there is no incident to read');
}

export default function (ids) {
  read('/api/v1/incidents', 'list');
  // Clients pause up to 200 ms between a read and the next: some 500 reads in a second, all together.
  sleep(Math.random() * 0.2);
  read(`/api/v1/incidents/${ids[Math.floor(Math.random() * ids.length)]}`, 'detail');
  sleep(Math.random() * 0.2);
  read('/api/v1/alerts', 'alerts');
  sleep(Math.random() * 0.2);
}

export function handleSummary(data) {
  const metrics = { 'api.reads_rps': value(data, 'http_reqs', 'rate'), 'api.reads_failed': value(data, 'http_req_failed', 'passes') };
  for (const name of ['list', 'detail', 'alerts']) {
    metrics[`api.${name}_p95_ms`] = value(data, `http_req_duration{name:${name}}`, 'p(95)');
  }
  return summary(data, metrics);
}
