// What the API sends: the fields that this app reads, as /openapi.json documents them.

export type Severity = 'critical' | 'high' | 'medium' | 'low';
export type AlertSeverity = 'critical' | 'warning' | 'info';
export type IncidentStatus = 'triggered' | 'acknowledged' | 'resolved' | 'canceled';
export type Labels = Record<string, string>;

/** One window of a list; `next_cursor` gives what follows, and is null at the end. */
export interface List<T> {
  data: T[];
  total: number;
  /** Whether there are not more than `total`. */
  total_is_exact: boolean;
  limit: number;
  offset: number;
  next_cursor: string | null;
}

/** How many there are of a list, in words: `313`, or `313+` where more may be. */
export const amount = ({ total, total_is_exact }: Pick<List<unknown>, 'total' | 'total_is_exact'>) => (total_is_exact ? `${total}` : `${total}+`);

export interface Incident {
  id: string;
  incident_number: number;
  title: string;
  status: IncidentStatus;
  severity: Severity;
  summary: string | null;
  group_key: string;
  labels: Labels;
  alert_count: number;
  firing_count: number;
  created_at: string;
  triggered_at: string;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  resolved_at: string | null;
  updated_at: string;
  version: number;
}

export interface NewIncident {
  title: string;
  summary?: string;
  severity: Severity;
  labels: Labels;
}

export interface IncidentDetail extends Incident {
  /** The newest 500. */
  alerts: Alert[];
  /** The newest 500, oldest first. */
  timeline: TimelineEntry[];
}

export interface TimelineEntry {
  id: number;
  timestamp: string;
  type: string;
  actor_type: string;
  actor_id: string | null;
  actor_name: string | null;
  content: string;
}

export interface Alert {
  id: string;
  external_id: string | null;
  source: string;
  fingerprint: string;
  status: 'firing' | 'resolved';
  severity: AlertSeverity;
  title: string;
  description: string | null;
  labels: Labels;
  annotations: Labels;
  incident_id: string | null;
  started_at: string;
  ended_at: string | null;
  received_at: string;
  last_seen_at: string;
  occurrences: number;
}

/** What became of one event, and why. */
export interface Decision {
  event_id: string;
  received_at: string;
  applied_at: string;
  alert_id: string | null;
  incident_id: string | null;
  outcome: string;
  routes: string[] | null;
  group_key: string | null;
  suppressed_by: string | null;
  notices: { kind: string; receiver: string | null; withheld: string | null }[] | null;
  event: { title?: string; status?: string; severity?: string; source_url?: string | null; labels?: Labels } | null;
}

export interface Silence {
  id: string;
  status: 'active' | 'pending' | 'expired';
  matchers: string[];
  starts_at: string;
  ends_at: string;
  recurrence: { days?: string[]; from: string; to: string; zone: string } | null;
  author: string;
  comment: string;
  created_at: string;
}

export interface NewSilence {
  matchers: string[];
  ends_at: string;
  comment: string;
}

export interface DeadLetter {
  id: number;
  stream: string;
  entry_id: string;
  reason: string;
  fields: unknown;
  created_at: string;
}

export type NotificationStatus = 'pending' | 'sending' | 'delivered' | 'superseded' | 'dead';

export interface Notification {
  id: string;
  incident_id: string;
  receiver: string;
  revision: number;
  kind: string;
  status: NotificationStatus;
  reason: string | null;
  attempts: number;
  created_at: string;
  finished_at: string | null;
  instead_of: string | null;
  because: string | null;
}

export interface NotificationDetail extends Notification {
  deliveries: { attempt: number; at: string; latency_ms: number; http_status: number | null; answer: string }[];
}

export interface System {
  services: {
    service: string;
    instance: string;
    version: string;
    started_at: string;
    seen_at: string;
    ready: boolean;
    rates: Record<string, number>;
  }[];
  streams: { name: string; length: number; pending: number; lag: number; oldest_s: number }[];
  inbox: { length: number };
  receivers: {
    name: string;
    kind: string;
    pending: number;
    oldest_pending_s: number;
    delivered_1h: number;
    dead_1h: number;
    state: 'ok' | 'failing' | 'gone';
    last_error: string | null;
  }[];
  incidents: { triggered: number; acknowledged: number };
  alerts: { firing: number };
  dead_letters: number;
  dead_notifications: number;
}

export interface SignInMethods {
  token: boolean;
  oidc: { name: string; url: string } | null;
}

export interface Session {
  name: string;
  scopes: ('read' | 'respond' | 'admin')[];
  expires_at: string | null;
}
