// How long: one of the usual lengths, or until a time.

const LENGTHS: [string, string][] = [
  ['1800', '30 min'],
  ['3600', '1 h'],
  ['7200', '2 h'],
  ['14400', '4 h'],
  ['28800', '8 h'],
  ['86400', '1 day'],
  ['604800', '1 week'],
  ['until', 'until…'],
];

/** When it ends; null if that is not a time to come. */
export function endOf(length: string, until: string, present: number): Date | null {
  const end = length === 'until' ? new Date(until) : new Date(present + Number(length) * 1000);
  return Number.isFinite(end.getTime()) && end.getTime() > present ? end : null;
}

interface Props {
  length: string;
  setLength: (length: string) => void;
  until: string;
  setUntil: (until: string) => void;
}

export function DurationField({ length, setLength, until, setUntil }: Props) {
  return (
    <fieldset class="duration">
      <legend>For how long</legend>
      <div class="segments">
        {LENGTHS.map(([value, text]) => (
          <label key={value} class="segment">
            <input type="radio" name="length" value={value} checked={length === value} onChange={() => setLength(value)} />
            <span>{text}</span>
          </label>
        ))}
      </div>
      {length === 'until' && (
        <label class="field">
          <span>Until, in your time zone</span>
          <input type="datetime-local" value={until} onInput={(event) => setUntil(event.currentTarget.value)} />
        </label>
      )}
    </fieldset>
  );
}
