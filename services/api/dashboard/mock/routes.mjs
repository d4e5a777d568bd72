// The endpoints of the mock: who may, what comes in, what goes out.

import { Refusal } from './state.mjs';

const TOKENS = { demo: { name: 'demo', scopes: ['read', 'respond'] }, admin: { name: 'admin', scopes: ['admin'] }, reader: { name: 'reader', scopes: ['read'] } };
const SERVICES = { ingest: ['accepted_per_s', 'refused_per_s'], worker: ['applied_per_s', 'commands_per_s'], notifier: ['delivered_per_s'], api: ['requests_per_s'] };

export const tokenOf = (name) => TOKENS[name];

/** Answers `[status, body]`; throws a refusal. */
export function answer(state, { method, path, query, body, session }) {
  const parts = path.slice('/api/v1/'.length).split('/').map(decodeURIComponent);
  const [kind, id, verb] = parts;
  const need = (scope) => {
    if (!session.scopes.includes(scope) && !session.scopes.includes('admin')) throw new Refusal(403, 'insufficient_scope', `The token is known, but does not allow this: it needs the scope ${scope}`);
  };
  const route = `${method} ${kind}${id ? '/:id' : ''}${verb ? `/${verb}` : ''}`;
  switch (route) {
    case 'GET incidents':
      return [200, list([...state.incidents.values()].sort((a, b) => b.incident_number - a.incident_number).filter(matching(query)), query)];
    case 'GET incidents/:id': {
      const incident = state.find(id);
      return [200, { ...incident, alerts: state.alertsOf(incident).reverse().map(alertView), timeline: state.timelines.get(incident.id) }];
    }
    case 'GET incidents/:id/explain':
      return [200, list(state.decisions.filter((one) => one.incident_id === state.find(id).id), query)];
    case 'GET incidents/:id/notifications':
      return [200, list(state.notices.filter((one) => one.incident_id === state.find(id).id).reverse().map(noticeView), query)];
    case 'POST incidents/:id/acknowledge':
    case 'POST incidents/:id/resolve':
    case 'POST incidents/:id/cancel':
    case 'POST incidents/:id/reopen':
    case 'POST incidents/:id/notes':
      need('respond');
      return [200, { ...state.respond(state.find(id), verb, body, session) }];
    case 'PATCH incidents/:id':
      need('respond');
      return [200, { ...state.setSeverity(state.find(id), body.severity, session) }];
    case 'GET alerts':
      return [200, list([...state.alerts.values()].reverse().filter(matching(query)).map(alertView), query)];
    case 'GET alerts/:id':
      return [200, alertView(alertFind(state, id))];
    case 'GET alerts/:id/explain':
      return [200, list(state.decisions.filter((one) => one.alert_id === alertFind(state, id).id), query)];
    case 'GET silences':
      return [200, list([...state.silences.values()].reverse().map(silenceView).filter(({ status }) => status !== 'expired' || query.get('include_expired') === 'true'), query)];
    case 'POST silences':
      need('respond');
      return [201, silenceView(state.addSilence(body, session.name))];
    case 'POST silences/:id/end': {
      need('respond');
      const silence = silenceFind(state, id);
      silence.ends_at = new Date().toISOString();
      state.emit('event', 'silence', { id });
      return [200, silenceView(silence)];
    }
    case 'DELETE silences/:id':
      need('respond');
      silenceFind(state, id);
      state.silences.delete(id);
      state.emit('event', 'silence', { id });
      return [204, null];
    case 'GET dead-letters':
      return [200, list(state.deadLetters, query)];
    case 'POST dead-letters/:id/redrive':
      need('admin');
      state.deadLetters = state.deadLetters.filter((one) => String(one.id) !== id);
      state.emit('event', 'dead_letter', {});
      return [200, { command_id: state.id(), status: 'done', changed: true }];
    case 'GET notifications':
      return [200, list(state.notices.filter((one) => ['status', 'receiver'].every((name) => !query.get(name) || query.get(name) === one[name])).reverse().map(noticeView), query)];
    case 'GET notifications/:id':
      return [200, noticeFind(state, id)];
    case 'POST notifications/:id':
      need('admin');
      for (const one of state.notices) if (one.status === 'dead' && (!body.receiver || one.receiver === body.receiver)) redrive(one);
      state.emit('event', 'dead_letter', {});
      return [200, { command_id: state.id(), status: 'done', changed: true }];
    case 'POST notifications/:id/redrive':
      need('admin');
      redrive(noticeFind(state, id));
      state.emit('event', 'dead_letter', {});
      return [200, { command_id: state.id(), status: 'done', changed: true }];
    case 'GET system':
      return [200, system(state)];
    default:
      throw new Refusal(404, 'not_found', 'nothing is at this address');
  }
}

const alertView = ({ key, ...alert }) => alert;
const noticeView = ({ deliveries, ...notice }) => notice;
const silenceView = (silence) => {
  const present = new Date().toISOString();
  const status = present >= silence.ends_at ? 'expired' : silence.recurrence || present < silence.starts_at ? 'pending' : 'active';
  return { ...silence, status };
};

function redrive(notice) {
  Object.assign(notice, { status: 'pending', reason: null, finished_at: null });
}

const found = (it, what) => {
  if (!it) throw new Refusal(404, 'not_found', `no ${what} has this id`);
  return it;
};
const alertFind = (state, id) => found(state.alerts.get(id), 'alert');
const silenceFind = (state, id) => found(state.silences.get(id), 'silence');
const noticeFind = (state, id) => found(state.notices.find((one) => one.id === id), 'notification');

function matching(query) {
  const labels = query.getAll('label').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  const text = (query.get('q') ?? '').toLowerCase();
  return (one) =>
    ['status', 'severity', 'source'].every((name) => !query.get(name) || one[name] === query.get(name)) &&
    one.title.toLowerCase().includes(text) &&
    labels.every(([name, value]) => one.labels[name] === value);
}

/** A window on a list. The real thing refuses parameters that it does not know; so does this, for those that are usual mistakes. */
function list(items, query) {
  const limit = Number(query.get('limit') ?? 50);
  if (!(limit >= 1 && limit <= 250)) throw new Refusal(400, 'invalid_parameter', 'parameter limit: use a number from 1 to 250');
  for (const name of query.keys()) if (name !== 'label' && query.getAll(name).length > 1) throw new Refusal(400, 'invalid_parameter', `parameter ${name}: is given more than once`);
  const from = query.get('cursor') ? Number(Buffer.from(query.get('cursor'), 'base64url').toString()) : 0;
  const end = from + limit;
  const next_cursor = end < items.length ? Buffer.from(String(end)).toString('base64url') : null;
  return { data: items.slice(from, end), total: items.length, limit, offset: 0, next_cursor };
}

function system(state) {
  const present = Date.now();
  const wave = (size, seconds, shift = 0) => Math.max(0, size * (1 + 0.5 * Math.sin((present / 1000 / seconds) * 2 * Math.PI + shift) + 0.25 * Math.sin((present / 777) * 2)));
  const incidents = [...state.incidents.values()];
  const dead = state.notices.filter(({ status }) => status === 'dead');
  const receiver = (name, kind) => {
    const own = state.notices.filter((one) => one.receiver === name);
    const failed = own.filter(({ status }) => status === 'dead').length;
    return { name, kind, pending: own.filter(({ status }) => status === 'pending').length, oldest_pending_s: 0, delivered_1h: own.filter(({ status }) => status === 'delivered').length, dead_1h: failed, state: failed ? 'failing' : 'ok', last_error: failed ? own.find(({ reason }) => reason)?.reason : null };
  };
  return {
    services: Object.entries(SERVICES).flatMap(([service, rates], row) =>
      [1, 2].map((index) => ({ service, instance: `${service}-${index}`, version: '0.1.0', started_at: new Date(present - 86_400_000 * 3).toISOString(), seen_at: new Date(present - 800).toISOString(), ready: true, rates: Object.fromEntries(rates.map((name, at) => [name, at === 1 && name.startsWith('refused') ? 0 : wave(40 / (row + 1), 90, row + index + at)])) })),
    ),
    streams: ['events', 'commands', 'notifications'].map((name, at) => ({ name, length: Math.round(wave(6 / (at + 1), 60)), pending: Math.round(wave(4 / (at + 1), 45, 1)), lag: Math.round(wave(3 / (at + 1), 70, 2)), oldest_s: wave(0.4, 50) })),
    inbox: { length: 0 },
    receivers: [receiver('ops', 'slack'), receiver('payments-oncall', 'slack'), receiver('audit', 'webhook')],
    incidents: { triggered: incidents.filter(({ status }) => status === 'triggered').length, acknowledged: incidents.filter(({ status }) => status === 'acknowledged').length },
    alerts: { firing: [...state.alerts.values()].filter(({ status }) => status === 'firing').length },
    dead_letters: state.deadLetters.length,
    dead_notifications: dead.length,
  };
}

