// What the scripts share: where the system is, how a webhook looks, and the summary.
// Variables (k6 run --env NAME=VALUE, which ./dev k6 sets): URL, TOKEN, KEY, SUMMARY (a file), DURATION, USERS.
import http from 'k6/http';
import { check } from 'k6';

export const url = (__ENV.URL || 'http://127.0.0.1:8080').replace(/\/$/, '');
export const duration = __ENV.DURATION || '5m';
export const users = Number(__ENV.USERS || 50);

// Statistics of a trend that summaries need.
export const summaryTrendStats = ['min', 'avg', 'med', 'p(95)', 'p(99)', 'max'];

// The path of an integration's key, or that of the keyless webhook.
const webhooks = `${url}/api/v1/webhooks/prometheus${__ENV.KEY ? `/${__ENV.KEY}` : ''}`;
const asJson = { headers: { 'Content-Type': 'application/json' } };
const asReader = { headers: { Authorization: `Bearer ${__ENV.TOKEN}` } };

// Alerts of so many services: many webhooks tell of an alert again, as in life, and an incident has some hundred of them.
const SERVICES = 200;

// Began a minute before the run did.
const startsAt = new Date(Date.now() - 60000).toISOString();

// The body that Alertmanager sends (version 4), of one alert. A text and no object: what k6 spends on its own, on the same cores, the
// system does not have.
function alertmanager(service, instance) {
  const labels = `{"alertname":"HighLatency","service":"service-${service}","instance":"host-${instance}","severity":"warning"}`;
  return (
    `{"version":"4","groupKey":"{}:{alertname=\\"HighLatency\\",service=\\"service-${service}\\"}","truncatedAlerts":0,` +
    `"status":"firing","receiver":"tocsin","groupLabels":{"alertname":"HighLatency"},"commonLabels":${labels},` +
    `"commonAnnotations":{},"externalURL":"http://alertmanager.example.com","alerts":[{"status":"firing","labels":${labels},` +
    `"annotations":{"summary":"Requests of service-${service} take more than 2 s"},"startsAt":"${startsAt}",` +
    `"endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example.com/graph",` +
    `"fingerprint":"${service}-${instance}"}]}`
  );
}

// Sends one webhook, and returns the answer.
export function send(params = {}) {
  const service = Math.floor(Math.random() * SERVICES);
  const instance = Math.floor(Math.random() * 50);
  return http.post(webhooks, alertmanager(service, instance), { ...asJson, ...params });
}

// Reads a path of the API, counted under this name, and checks that it is answered with what it should be.
export function read(path, name) {
  const answer = http.get(url + path, { ...asReader, tags: { name } });
  check(answer, { [`${name} is read`]: ({ status }) => status === 200 });
  return answer;
}

// The same in JSON.
export function readJson(path, name) {
  return read(path, name).json();
}

// One value of a metric, or undefined where it was never measured.
export function value(data, metric, statistic) {
  return data.metrics[metric] && data.metrics[metric].values[statistic];
}

// What handleSummary returns: a table for people and, where SUMMARY names a file, the metrics as JSON.
export function summary(data, metrics) {
  const thresholds = Object.entries(data.metrics).flatMap(([name, { thresholds: of = {} }]) =>
    Object.entries(of).map(([rule, { ok }]) => `${ok ? 'met   ' : 'MISSED'}  ${name}: ${rule}`),
  );
  const rounded = {};
  for (const [name, number] of Object.entries(metrics)) {
    if (number !== undefined) {
      rounded[name] = Math.round(number * 1000) / 1000;
    }
  }
  const rows = Object.entries(rounded).map(([name, number]) => `${name.padEnd(32)} ${number}`);
  const files = { stdout: `\n${rows.join('\n')}\n\n${thresholds.join('\n')}\n` };
  if (__ENV.SUMMARY) {
    files[__ENV.SUMMARY] = `${JSON.stringify({ metrics: rounded }, null, 2)}\n`;
  }
  return files;
}
