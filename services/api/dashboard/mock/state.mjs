// Alerts, incidents, silences and notifications in memory: as simple as can be, with the shapes of the real thing.

import { EventEmitter } from 'node:events';

const INCIDENT_SEVERITY = { critical: 'critical', high: 'high', warning: 'medium', info: 'low' };
const RANK = ['low', 'medium', 'high', 'critical'];
const PAST = { acknowledge: 'Acknowledged', resolve: 'Resolved', cancel: 'Canceled', reopen: 'Reopened' };

export class Refusal extends Error {
  constructor(status, code, detail) {
    super(detail);
    Object.assign(this, { status, code, detail });
  }
}

export class State extends EventEmitter {
  incidents = new Map();
  alerts = new Map();
  silences = new Map();
  deadLetters = [];
  notices = [];
  decisions = [];
  timelines = new Map();
  counter = 0;

  constructor() {
    super();
    this.setMaxListeners(0);
  }

  id() {
    this.counter += 1;
    return `01990a3e-0000-7000-8000-${this.counter.toString(16).padStart(12, '0')}`;
  }

  byTitle = (title) => [...this.incidents.values()].find((incident) => incident.title === title);

  find(id) {
    const found = this.incidents.get(id) ?? [...this.incidents.values()].find((one) => String(one.incident_number) === id);
    if (!found) throw new Refusal(404, 'not_found', 'no incident has this id or number');
    return found;
  }

  /** Takes an alert in, and makes what it makes of incidents. */
  receive(event, at = new Date().toISOString()) {
    const labels = { ...event.labels };
    labels.alertname ??= event.title;
    const key = event.external_id ?? JSON.stringify(Object.entries(labels).sort());
    const known = [...this.alerts.values()].find((one) => one.key === key);
    const status = event.status ?? 'firing';
    if (!known && status === 'resolved') return;
    const alert = known ?? { id: this.id(), key, external_id: event.external_id ?? null, source: event.source, fingerprint: hash(key), incident_id: null, received_at: at, occurrences: 0, labels };
    const severity = event.severity === 'high' ? 'critical' : (event.severity ?? alert.severity ?? 'warning');
    Object.assign(alert, { status, severity, title: event.title, description: event.description ?? alert.description ?? null, annotations: event.annotations ?? alert.annotations ?? {}, started_at: event.started_at ?? alert.started_at ?? at, ended_at: status === 'resolved' ? (event.ended_at ?? at) : null, last_seen_at: at, occurrences: alert.occurrences + 1 });
    this.alerts.set(alert.id, alert);
    if (status === 'resolved') return this.endAlert(alert, at);
    this.join(alert, event, at);
  }

  join(alert, event, at) {
    const by = event.groupBy ?? ['alertname'];
    const group = `{}:{${by.map((name) => `${name}=${JSON.stringify(alert.labels[name] ?? '')}`).join(', ')}}`;
    let incident = [...this.incidents.values()].find((one) => one.group_key === group && isOpen(one));
    const severity = INCIDENT_SEVERITY[event.severity ?? 'warning'] ?? 'medium';
    const isNew = !incident;
    if (isNew) {
      incident = { id: this.id(), incident_number: this.incidents.size + 1, title: alert.title, status: 'triggered', severity, summary: alert.description, group_key: group, labels: { ...alert.labels }, alert_count: 0, firing_count: 0, created_at: at, triggered_at: at, acknowledged_at: null, acknowledged_by: null, resolved_at: null, updated_at: at, version: 0 };
      this.incidents.set(incident.id, incident);
      this.timelines.set(incident.id, []);
    }
    alert.incident_id = incident.id;
    if (RANK.indexOf(severity) > RANK.indexOf(incident.severity)) incident.severity = severity;
    for (const [name, value] of Object.entries(incident.labels)) if (alert.labels[name] !== value) delete incident.labels[name];
    const receiver = incident.labels.team === 'payments' ? 'payments-oncall' : 'ops';
    this.decide(alert, incident, isNew ? 'opened' : 'joined', at, [{ kind: isNew ? 'triggered' : 'updated', receiver, withheld: null }]);
    this.change(incident, isNew ? 'incident_triggered' : 'alert_firing', isNew ? `Triggered by ${alert.title}` : `${alert.title} is firing`, null, at);
    this.notify(incident, isNew ? 'triggered' : 'updated', at, receiver);
  }

  endAlert(alert, at) {
    const incident = this.incidents.get(alert.incident_id);
    if (!incident) return;
    this.decide(alert, incident, 'resolved', at, []);
    this.change(incident, 'alert_resolved', `${alert.title} is resolved`, null, at);
    if (incident.firing_count > 0 || !isOpen(incident)) return;
    Object.assign(incident, { status: 'resolved', resolved_at: at });
    this.change(incident, 'incident_resolved', 'All alerts are resolved', null, at);
    this.notify(incident, 'resolved', at);
  }

  respond(incident, verb, content, actor, at = new Date().toISOString()) {
    const refuse = (detail) => {
      throw new Refusal(409, 'invalid_transition', `incident ${incident.incident_number}: ${detail}`);
    };
    if (verb === 'notes') return this.change(incident, 'note', content.text, actor, at);
    if (verb === 'reopen') {
      if (incident.status === 'triggered') return incident;
      const back = incident.status === 'acknowledged';
      Object.assign(incident, { status: 'triggered', acknowledged_at: null, acknowledged_by: null, resolved_at: null });
      return this.change(incident, 'incident_reopened', `${back ? 'Given back' : 'Reopened'} by ${actor.name}`, actor, at);
    }
    if (!isOpen(incident)) refuse(`it is ${incident.status}; reopen it first`);
    const text = `${PAST[verb]} by ${actor.name}${content.note ? `: ${content.note}` : ''}`;
    if (verb === 'acknowledge') {
      if (incident.status === 'acknowledged') return incident;
      Object.assign(incident, { status: 'acknowledged', acknowledged_at: at, acknowledged_by: actor.name });
      this.change(incident, 'incident_acknowledged', text, actor, at);
      return this.notify(incident, 'acknowledged', at);
    }
    const status = verb === 'resolve' ? 'resolved' : 'canceled';
    Object.assign(incident, { status, resolved_at: at });
    for (const alert of this.alertsOf(incident)) if (alert.status === 'firing') Object.assign(alert, { status: 'resolved', ended_at: at });
    this.change(incident, `incident_${status}`, text, actor, at);
    return this.notify(incident, status, at);
  }

  setSeverity(incident, severity, actor) {
    const text = `${actor.name} set the severity from ${incident.severity} to ${severity}`;
    incident.severity = severity;
    return this.change(incident, 'incident_severity_changed', text, actor, new Date().toISOString());
  }

  change(incident, type, content, actor, at) {
    const alerts = this.alertsOf(incident);
    Object.assign(incident, { alert_count: alerts.length, firing_count: alerts.filter(({ status }) => status === 'firing').length, updated_at: at, version: incident.version + 1 });
    const entries = this.timelines.get(incident.id);
    entries.push({ id: (this.counter += 1), timestamp: at, type, actor_type: actor ? 'token' : 'system', actor_id: actor?.name ?? null, actor_name: actor?.name ?? null, content });
    this.emit('event', 'incident', { ...incident });
    return incident;
  }

  notify(incident, kind, at, receiver = incident.labels.team === 'payments' ? 'payments-oncall' : 'ops') {
    const old = this.notices.find((one) => one.incident_id === incident.id && one.status === 'pending');
    if (old) Object.assign(old, { status: 'superseded', reason: 'a newer revision tells it', finished_at: at });
    const later = new Date(Date.parse(at) + 240).toISOString();
    this.notices.push({ id: this.id(), incident_id: incident.id, receiver, revision: incident.version, kind, status: 'delivered', reason: null, attempts: 1, created_at: at, finished_at: later, instead_of: null, because: null, deliveries: [{ attempt: 1, at: later, latency_ms: 112, http_status: 200, answer: 'ok' }] });
    return incident;
  }

  killNotice(receiver, reason) {
    for (const notice of this.notices.filter((one) => one.receiver === receiver)) {
      const deliveries = [1, 2, 3].map((attempt) => ({ attempt, at: new Date(Date.parse(notice.created_at) + attempt * 9000).toISOString(), latency_ms: 80 + attempt * 7, http_status: attempt < 3 ? 503 : 200, answer: attempt < 3 ? 'service_unavailable' : 'channel_not_found' }));
      Object.assign(notice, { status: 'dead', reason, attempts: 3, deliveries });
      this.notices.push({ ...notice, id: this.id(), receiver: 'ops', status: 'delivered', reason: null, kind: 'undelivered', attempts: 1, instead_of: receiver, because: `${receiver} could not be told: channel_not_found`, deliveries: [{ attempt: 1, at: notice.finished_at, latency_ms: 95, http_status: 200, answer: 'ok' }] });
    }
  }

  decide(alert, incident, outcome, at, notices) {
    this.decisions.unshift({ event_id: this.id(), received_at: at, applied_at: at, alert_id: alert.id, incident_id: incident.id, outcome, routes: ['{}'], group_key: incident.group_key, suppressed_by: null, notices, event: { title: alert.title, status: alert.status, severity: alert.severity, labels: alert.labels } });
  }

  addSilence(content, author, at = new Date().toISOString()) {
    const silence = { id: this.id(), starts_at: at, recurrence: null, comment: '', ...content, author, created_at: at };
    this.silences.set(silence.id, silence);
    this.emit('event', 'silence', { id: silence.id });
    return silence;
  }

  addDeadLetter(stream, entry_id, reason, fields, created_at) {
    this.deadLetters.unshift({ id: this.deadLetters.length + 1, stream, entry_id, reason, fields, created_at });
  }

  alertsOf = (incident) => [...this.alerts.values()].filter((alert) => alert.incident_id === incident.id);
}

export const isOpen = (incident) => incident.status === 'triggered' || incident.status === 'acknowledged';

function hash(text) {
  let value = 14695981039346656037n;
  for (const byte of Buffer.from(text)) value = ((value ^ BigInt(byte)) * 1099511628211n) & 0xffffffffffffffffn;
  return value.toString(16).padStart(16, '0');
}
