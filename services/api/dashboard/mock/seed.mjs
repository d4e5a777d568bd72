// What the mock begins with: a bad night at a shop, told by Prometheus and others.

const minutes = 60_000;

/** Makes the state relative to the present, so that ages look real. Everything else is the same each time. */
export function seed(state, now = Date.now()) {
  const at = (ago) => new Date(now - ago * minutes).toISOString();
  const fire = (ago, alert) => state.receive({ source: 'prometheus', severity: 'warning', annotations: {}, ...alert, started_at: at(ago) }, at(ago));
  const done = (ago, title, labels) => state.receive({ source: 'prometheus', title, labels, status: 'resolved', ended_at: at(ago) }, at(ago));
  const act = (ago, title, verb, content = {}, by = 'ann') => state.respond(state.byTitle(title), verb, content, { name: by }, at(ago));

  for (let index = 0; index < 4; index += 1) {
    const labels = { alertname: 'BackupLate', host: `nas-${index + 1}`, team: 'storage' };
    fire(2900 - index * 200, { title: `BackupLate on nas-${index + 1}`, severity: 'info', labels, groupBy: ['alertname', 'host'] });
    done(2700 - index * 200, `BackupLate on nas-${index + 1}`, labels);
  }
  fire(310, { title: 'CertificateExpires for shop.example', severity: 'info', labels: { alertname: 'CertificateExpires', host: 'shop.example', team: 'web' }, description: 'The certificate of shop.example expires in 13 days.' });
  for (const pod of ['db-1', 'db-2']) {
    fire(94, { title: `DiskFillsUp on ${pod}`, labels: { alertname: 'DiskFillsUp', host: pod, team: 'storage', cluster: 'eu-central' }, description: 'At the rate of the last six hours the disk is full in four hours.', annotations: { runbook_url: 'https://wiki.example/runbooks/disk', dashboard_url: 'https://grafana.example/d/disks' } });
  }
  act(81, 'DiskFillsUp on db-1', 'acknowledge');
  act(79, 'DiskFillsUp on db-1', 'notes', { text: 'Old snapshots are being removed. Should be down to 60 % by four.' });
  for (const pod of ['checkout-7d9f', 'checkout-b21c', 'checkout-e0aa']) {
    fire(23, { title: `CheckoutErrors on ${pod}`, severity: 'critical', labels: { alertname: 'CheckoutErrors', pod, team: 'web', cluster: 'eu-central', env: 'production' }, description: '12 % of checkouts fail with 502 since the deploy of 01:40.', annotations: { summary: 'Checkouts fail', runbook: 'https://wiki.example/runbooks/checkout', dashboard: 'https://grafana.example/d/checkout', evil: 'javascript:alert(1)' } });
  }
  fire(17, { title: 'QueueGrows in payments', severity: 'high', labels: { alertname: 'QueueGrows', queue: 'payments', team: 'payments', cluster: 'eu-central' }, description: 'The queue has grown for fifteen minutes.' });
  fire(11, { title: 'Latency of search above 2 s', source: 'grafana', labels: { alertname: 'SearchLatency', team: 'search', region: 'eu-central-1' }, description: 'p99 is 2.4 s.' });
  fire(6, { title: 'PodRestarts of mailer-5f7c', source: 'datadog', labels: { alertname: 'PodRestarts', pod: 'mailer-5f7c', team: 'platform' } });
  fire(3, { title: '<img src=x onerror=alert(1)> in a title', source: 'generic', severity: 'info', labels: { alertname: '<b>bold</b>', from: '"><script>alert(1)</script>' } });

  const silence = (matchers, begin, end, comment, author, recurrence = null) => state.addSilence({ matchers, starts_at: at(begin), ends_at: at(end), comment, recurrence }, author, at(begin + 1));
  silence(['alertname="PodRestarts"', 'env="staging"'], 120, -240, 'Load test until the evening, OPS-311', 'ben');
  silence(['host=~"nas-.*"'], 4000, -90000, 'Nightly maintenance of the storage', 'ann', { days: ['sat', 'sun'], from: '22:00', to: '04:00', zone: 'Europe/Berlin' });
  silence(['alertname="DiskFillsUp"', 'host="db-3"'], 1700, 600, 'Being replaced', 'ann via slack');

  state.addDeadLetter('events', '1764203412345-0', 'envelope version "9" is not supported', { v: '9', id: '0193593c-8f1a-7c9e-b9b8-7f3b3f1f2a10', source: 'prometheus', body: '{"alerts":[{"title":"HighLoad","labels":{"alertname":"HighLoad","host":"web-4"}}]}' }, at(55));
  state.addDeadLetter('commands', '1764203999001-2', 'the command names no action', { v: '1', id: '0193593c-9a00-7c9e-b9b8-7f3b3f1f2a11' }, at(12));
  state.killNotice('payments-oncall', 'channel_not_found: the channel was archived or the bot was removed from it');
}
