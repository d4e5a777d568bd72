// The filters of the board. They are its address: a link to it shows the same.

import { useEffect, useRef, useState } from 'preact/hooks';
import { useKeys } from '../../keyboard';
import { here, setQuery } from '../../router';
import { Icon } from '../../ui/Icon';
import { type BoardFilter, isFiltered, labelOf, SEVERITIES, STATUSES } from './filter';

const TYPING_MS = 250;

export function SearchField({ value, name }: { value: string; name: string }) {
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef(0);
  const [text, setText] = useState(value);
  // What comes back of what was typed is older than what is typed by then.
  const sent = useRef(value);
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setText(value);
  }, [value]);
  useKeys({ '/': () => input.current?.focus() });
  return (
    <label class="search">
      <Icon shape="search" />
      <span class="visually-hidden">{name}</span>
      <input
        ref={input}
        type="search"
        placeholder={name}
        maxLength={100}
        value={text}
        onInput={(event) => {
          const next = event.currentTarget.value;
          setText(next);
          window.clearTimeout(timer.current);
          timer.current = window.setTimeout(() => {
            sent.current = next;
            setQuery({ q: next });
          }, TYPING_MS);
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

export function LabelFilter({ labels }: { labels: string[] }) {
  const [text, setText] = useState('');
  const [fault, setFault] = useState(false);
  const add = (event: Event) => {
    event.preventDefault();
    const label = labelOf(text);
    setFault(label === null);
    if (label === null) return;
    setText('');
    setQuery({ label: [...labels.filter((one) => one !== label), label] });
  };
  return (
    <>
      <form class="label-filter" onSubmit={add}>
        <input
          aria-label="Label to filter by, as name=value"
          aria-invalid={fault}
          placeholder="label=value"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setFault(false);
          }}
        />
        <button type="submit" class="button">
          Add
        </button>
        {fault && (
          <span class="fault" role="alert">
            Use name=value, or != =~ !~ instead of =
          </span>
        )}
      </form>
      {labels.map((label) => (
        <button
          type="button"
          key={label}
          class="chip"
          title={label}
          aria-label={`Remove the filter ${label}`}
          onClick={() => setQuery({ label: labels.filter((one) => one !== label) })}
        >
          <span class="chip-text">{label}</span>
          <Icon shape="cross" />
        </button>
      ))}
    </>
  );
}

export function Choice({ name, param, value, options }: { name: string; param: string; value: string; options: [string, string][] }) {
  return (
    <label class="choice">
      <span>{name}</span>
      <select value={value} onChange={(event) => setQuery({ [param]: event.currentTarget.value })}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Filters({ filter }: { filter: BoardFilter }) {
  const status = filter.status === 'open' ? '' : filter.status;
  return (
    <div class="filters" role="search" aria-label="Incidents">
      <SearchField value={filter.text} name="Search titles" />
      <Choice name="Status" param="status" value={status} options={[['', 'open'], ...STATUSES.map((one) => [one, one] as [string, string])]} />
      <Choice name="Severity" param="severity" value={filter.severity ?? ''} options={[['', 'any'], ...SEVERITIES.map((one) => [one, one] as [string, string])]} />
      <LabelFilter labels={filter.labels} />
      {isFiltered(filter) && (
        <a class="button button-quiet" href={here.value.path}>
          Clear
        </a>
      )}
    </div>
  );
}
