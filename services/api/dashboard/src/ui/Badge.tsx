// Severity and status: a shape, a word and a colour, so that any of them may be missing.

import type { AlertSeverity, IncidentStatus, NotificationStatus, Severity } from '../api/types';
import { Icon, type Shape } from './Icon';

const SEVERITY_SHAPES: Record<Severity | AlertSeverity, Shape> = {
  critical: 'octagon',
  high: 'triangle',
  warning: 'triangle',
  medium: 'diamond',
  low: 'ring',
  info: 'ring',
};

export function SeverityBadge({ severity }: { severity: Severity | AlertSeverity }) {
  return (
    <span class={`severity severity-${severity}`}>
      <Icon shape={SEVERITY_SHAPES[severity] ?? 'ring'} />
      {severity}
    </span>
  );
}

export type AnyStatus =
  | IncidentStatus
  | NotificationStatus
  | 'firing'
  | 'active'
  | 'expired'
  | 'ok'
  | 'failing'
  | 'gone'
  | 'ready'
  | 'not ready';

const STATUS: Record<AnyStatus, [Shape, 'bad' | 'busy' | 'good' | 'quiet']> = {
  triggered: ['bell', 'bad'],
  acknowledged: ['eye', 'busy'],
  resolved: ['check', 'good'],
  canceled: ['cross', 'quiet'],
  firing: ['bell', 'bad'],
  pending: ['clock', 'busy'],
  sending: ['arrow', 'busy'],
  delivered: ['check', 'good'],
  superseded: ['skip', 'quiet'],
  dead: ['cross', 'bad'],
  active: ['muted', 'busy'],
  expired: ['check', 'quiet'],
  ok: ['check', 'good'],
  failing: ['triangle', 'bad'],
  gone: ['cross', 'bad'],
  ready: ['check', 'good'],
  'not ready': ['cross', 'bad'],
};

export function StatusBadge({ status }: { status: AnyStatus }) {
  const [shape, tone] = STATUS[status] ?? ['ring', 'quiet'];
  return (
    <span class={`status tone-${tone}`}>
      <Icon shape={shape} />
      {status}
    </span>
  );
}
