// Matchers of silences, in Alertmanager's form: `name="value"`, with =, !=, =~ or !~.

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

/** What is wrong with matchers, in a sentence; null if nothing is. */
export function fault(matchers: readonly Matcher[]): string | null {
  if (matchers.length === 0) return 'Name at least one label: a silence of everything is refused.';
  if (matchers.some((matcher) => matcher.name.trim() === '')) return 'Each matcher needs the name of a label.';
  for (const { name, operator, value } of matchers) {
    if (operator !== '=~' && operator !== '!~') continue;
    try {
      new RegExp(value);
    } catch {
      return `The regular expression for ${name} cannot be read.`;
    }
  }
  const asks = matchers.some(({ operator, value }) => {
    if (operator === '=') return value !== '';
    if (operator === '!=') return value === '';
    const takesNothing = new RegExp(`^(?:${value})$`).test('');
    return operator === '=~' ? !takesNothing : takesNothing;
  });
  return asks ? null : 'At least one matcher must ask for a label that is there.';
}
