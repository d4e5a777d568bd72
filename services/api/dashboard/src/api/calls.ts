// Every request that this app makes, by what it is for.

import { command, get } from './client';
import type {
  Alert,
  DeadLetter,
  Decision,
  Incident,
  IncidentDetail,
  List,
  NewIncident,
  NewSilence,
  Notification,
  NotificationDetail,
  Session,
  Severity,
  SignInMethods,
  Silence,
  System,
} from './types';

/** Most items that are asked for at once. */
export const MAX_ITEMS = 250;

export type Query = Record<string, string | string[] | number | null | undefined>;

/** A query string of what is given, `?` included. */
export function queryString(query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== '') params.append(name, String(one));
    }
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

const list =
  <T>(path: string) =>
  (query: Query = {}, signal?: AbortSignal) =>
    get<List<T>>(`/api/v1/${path}${queryString(query)}`, signal);
const of = (kind: string, id: string | number) => `/api/v1/${kind}/${encodeURIComponent(id)}`;

export const incidents = list<Incident>('incidents');
export const incident = (id: string, signal?: AbortSignal) => get<IncidentDetail>(of('incidents', id), signal);
export const incidentExplain = (id: string, signal?: AbortSignal) =>
  get<List<Decision>>(`${of('incidents', id)}/explain?limit=${MAX_ITEMS}`, signal);
export const incidentNotifications = (id: string, signal?: AbortSignal) =>
  get<List<Notification>>(`${of('incidents', id)}/notifications?limit=${MAX_ITEMS}`, signal);

export type Verb = 'acknowledge' | 'resolve' | 'cancel' | 'reopen' | 'notes';
export const respond = (id: string, verb: Verb, content: object, key: string) =>
  command<Incident>('POST', `${of('incidents', id)}/${verb}`, content, key);
export const setSeverity = (id: string, severity: Severity, key: string) =>
  command<Incident>('PATCH', of('incidents', id), { severity }, key);

export const declareIncident = (content: NewIncident, key: string) =>
  command<Incident>('POST', '/api/v1/incidents', content, key);

export const alerts = list<Alert>('alerts');
export const alert = (id: string, signal?: AbortSignal) => get<Alert>(of('alerts', id), signal);
export const alertExplain = (id: string, signal?: AbortSignal) =>
  get<List<Decision>>(`${of('alerts', id)}/explain?limit=50`, signal);

export const silences = list<Silence>('silences');
export const createSilence = (silence: NewSilence, key: string) =>
  command<Silence>('POST', '/api/v1/silences', silence, key);
export const endSilence = (id: string, key: string) => command<Silence>('POST', `${of('silences', id)}/end`, {}, key);
export const deleteSilence = (id: string, key: string) => command<null>('DELETE', of('silences', id), {}, key);

export const deadLetters = list<DeadLetter>('dead-letters');
export const redriveDeadLetter = (id: number, key: string) =>
  command<unknown>('POST', `${of('dead-letters', id)}/redrive`, {}, key);

export const notifications = list<Notification>('notifications');
export const notification = (id: string, signal?: AbortSignal) => get<NotificationDetail>(of('notifications', id), signal);
export const redriveNotification = (id: string, key: string) =>
  command<unknown>('POST', `${of('notifications', id)}/redrive`, {}, key);
export const redriveNotifications = (filter: { receiver?: string; limit?: number }, key: string) =>
  command<unknown>('POST', '/api/v1/notifications/redrive', filter, key);

export const system = (signal?: AbortSignal) => get<System>('/api/v1/system', signal);

export const signInMethods = () => get<SignInMethods>('/api/v1/sign-in');
export const session = () => get<Session>('/api/v1/session');
export const signIn = (token: string, key: string) => command<Session>('POST', '/api/v1/session', { token }, key);
export const signOut = (key: string) => command<null>('DELETE', '/api/v1/session', {}, key);
