// Things to test with.

import type { Incident } from '../src/api/types';

export const incident = (part: Partial<Incident> = {}): Incident => ({
  id: `id-${part.incident_number ?? 1}`,
  incident_number: 1,
  title: 'DiskFull on db-1',
  status: 'triggered',
  severity: 'medium',
  summary: null,
  group_key: '{}:{alertname="DiskFull"}',
  labels: { alertname: 'DiskFull' },
  alert_count: 1,
  firing_count: 1,
  created_at: '2026-01-01T00:00:00Z',
  triggered_at: '2026-01-01T00:00:00Z',
  acknowledged_at: null,
  acknowledged_by: null,
  resolved_at: null,
  updated_at: '2026-01-01T00:00:00Z',
  version: 1,
  ...part,
});
