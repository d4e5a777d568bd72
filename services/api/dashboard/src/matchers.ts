// Matchers of silences, in Alertmanager's form: `name="value"`, with =, !=, =~ or !~.

import type { Labels } from './api/types';

export type Operator = '=' | '!=' | '=~' | '!~';
export const OPERATORS: readonly Operator[] = ['=', '!=', '=~', '!~'];
export const OPERATOR_NAMES: Record<Operator, string> = {
  '=': 'is',
  '!=': 'is not',
  '=~': 'matches',
  '!~': 'does not match',
};

export interface Matcher {
  name: string;
  operator: Operator;
  value: string;
}

const BARE_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:.-]*$/;

const quote = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

/** The matcher as text. A name that would be read otherwise is quoted, as any value is. */
export function write({ name, operator, value }: Matcher): string {
  return `${BARE_NAME.test(name) ? name : quote(name)}${operator}${quote(value)}`;
}

/** The matcher of a text, or null. */
export function read(text: string): Matcher | null {
  const found = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s=!~"{},]+))\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"]*?))\s*$/s.exec(text);
  if (!found) return null;
  const unquote = (inner: string) => inner.replace(/\\(.)/gs, (_, c: string) => (c === 'n' ? '\n' : c));
  const name = found[1] !== undefined ? unquote(found[1]) : found[2]!;
  const value = found[4] !== undefined ? unquote(found[4]) : (found[5] ?? '');
  return { name, operator: found[3] as Operator, value };
}

/** A regular expression that a whole value must match, as everywhere in Tocsin; null if it is none. */
export function expression(text: string): RegExp | null {
  try {
    // By itself as well: a bracket that closes ours would change what is asked.
    void new RegExp(text);
    return new RegExp(`^(?:${text})$`, 's');
  } catch {
    return null;
  }
}

/** Whether these labels are what a matcher asks for. A label that is not there counts as empty. */
export function takes({ name, operator, value }: Matcher, labels: Labels): boolean {
  const own = labels[name] ?? '';
  if (operator === '=') return own === value;
  if (operator === '!=') return own !== value;
  return (expression(value)?.test(own) ?? false) === (operator === '=~');
}

/** What is wrong with matchers, in a sentence; null if nothing is. */
export function fault(matchers: readonly Matcher[]): string | null {
  if (matchers.length === 0) return 'Name at least one label: a silence of everything is refused.';
  if (matchers.some((matcher) => matcher.name.trim() === '')) return 'Each matcher needs the name of a label.';
  for (const { name, operator, value } of matchers) {
    const isRegular = operator === '=~' || operator === '!~';
    if (isRegular && !expression(value)) return `The regular expression for ${name} cannot be read.`;
  }
  const asks = matchers.some((matcher) => !takes(matcher, {}));
  return asks ? null : 'At least one matcher must ask for a label that is there.';
}
