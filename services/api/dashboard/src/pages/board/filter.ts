// What the board shows, as its address says it.

import type { Incident, IncidentStatus, Severity } from '../../api/types';
import { expression, type Matcher, type Operator, takes } from '../../matchers';

export const SEVERITIES: readonly Severity[] = ['critical', 'high', 'medium', 'low'];
export const STATUSES: readonly IncidentStatus[] = ['triggered', 'acknowledged', 'resolved', 'canceled'];

export interface BoardFilter {
  /** `open` is both triggered and acknowledged. */
  status: IncidentStatus | 'open';
  severity: Severity | null;
  /** Matchers as the API takes them (`name=value`, or with !=, =~ or !~), all of which an incident must match. */
  labels: string[];
  text: string;
}

const oneOf = <T extends string>(known: readonly T[], value: string | null): T | null =>
  known.find((one) => one === value) ?? null;

/** A matcher as the API wants it, or null if it is none. */
export function labelOf(text: string): string | null {
  const matcher = matcherOf(text);
  return matcher && `${matcher.name}${matcher.operator}${matcher.value}`;
}

function matcherOf(text: string): Matcher | null {
  const [, name, operator, given] = /^([^=!~]+?)\s*(=~|!~|!=|=)\s*(.*)$/s.exec(text.trim()) ?? [];
  if (name === undefined || given === undefined) return null;
  const value = /^".*"$/s.test(given) ? given.slice(1, -1) : given;
  const isRegular = operator === '=~' || operator === '!~';
  return isRegular && !expression(value) ? null : { name, operator: operator as Operator, value };
}

export function readFilter(query: URLSearchParams): BoardFilter {
  return {
    status: oneOf(STATUSES, query.get('status')) ?? 'open',
    severity: oneOf(SEVERITIES, query.get('severity')),
    labels: query.getAll('label').map(labelOf).filter((label) => label !== null),
    text: (query.get('q') ?? '').slice(0, 200),
  };
}

export const isFiltered = (filter: BoardFilter): boolean =>
  filter.status !== 'open' || filter.severity !== null || filter.labels.length > 0 || filter.text !== '';

/** Whether an incident that changed belongs on the board: as the API would have it. */
export function matches(filter: BoardFilter, incident: Incident): boolean {
  const { status, severity, labels, title } = incident;
  const isOpen = status === 'triggered' || status === 'acknowledged';
  if (filter.status === 'open' ? !isOpen : status !== filter.status) return false;
  if (filter.severity && severity !== filter.severity) return false;
  if (filter.text && !title.toLowerCase().includes(filter.text.toLowerCase())) return false;
  return filter.labels.every((text) => {
    const matcher = matcherOf(text);
    return matcher !== null && takes(matcher, labels);
  });
}

/** The statuses to ask the API for, which takes one at a time. */
export const statusesOf = (filter: BoardFilter): IncidentStatus[] =>
  filter.status === 'open' ? ['triggered', 'acknowledged'] : [filter.status];
