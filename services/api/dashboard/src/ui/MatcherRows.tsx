// Matchers, one in a row.

import { type Matcher, OPERATOR_NAMES, OPERATORS, type Operator } from '../matchers';
import { Icon } from './Icon';

/** With `plain`, labels that something has: there is nothing to compare. */
export function MatcherRows({ matchers, change, plain = false }: { matchers: Matcher[]; change: (next: Matcher[]) => void; plain?: boolean }) {
  const put = (index: number, part: Partial<Matcher>) => change(matchers.map((one, at) => (at === index ? { ...one, ...part } : one)));
  return (
    <fieldset class="matchers">
      <legend>Labels</legend>
      {matchers.map(({ name, operator, value }, index) => (
        <div class={plain ? 'matcher matcher-plain' : 'matcher'} key={index}>
          <input aria-label={`Name of label ${index + 1}`} placeholder="name" value={name} data-first={!plain && index === 0 && name === ''} onInput={(event) => put(index, { name: event.currentTarget.value.trim() })} />
          {!plain && (
            <select aria-label={`How label ${index + 1} is compared`} value={operator} onChange={(event) => put(index, { operator: event.currentTarget.value as Operator })}>
              {OPERATORS.map((one) => (
                <option key={one} value={one}>
                  {one} {OPERATOR_NAMES[one]}
                </option>
              ))}
            </select>
          )}
          <input aria-label={`Value of label ${index + 1}`} placeholder="value" value={value} onInput={(event) => put(index, { value: event.currentTarget.value })} />
          <button type="button" class="button button-quiet" aria-label={`Remove label ${index + 1}${name && `, ${name}`}`} onClick={() => change(matchers.filter((_, at) => at !== index))}>
            <Icon shape="cross" />
          </button>
        </div>
      ))}
      <button type="button" class="button" onClick={() => change([...matchers, { name: '', operator: '=', value: '' }])}>
        Add a label
      </button>
    </fieldset>
  );
}
