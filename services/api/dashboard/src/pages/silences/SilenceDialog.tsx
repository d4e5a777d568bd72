// A new silence: labels that come with what it is about, how long, and why.

import { useEffect, useState } from 'preact/hooks';
import { close } from '../../actions/dialogs';
import { toast } from '../../actions/toasts';
import { alerts, createSilence } from '../../api/calls';
import { newKey } from '../../api/client';
import { Problem, unanswered } from '../../api/problem';
import { amount, type Labels } from '../../api/types';
import { tell } from '../../live/connection';
import { fault, type Matcher, write } from '../../matchers';
import { Dialog } from '../../ui/Dialog';
import { ProblemNote } from '../../ui/States';
import { DurationField, endOf } from './DurationField';
import { MatcherRows } from '../../ui/MatcherRows';

export function SilenceDialog({ labels, about }: { labels: Labels; about: string }) {
  const given = Object.entries(labels).map(([name, value]): Matcher => ({ name, operator: '=', value }));
  const [matchers, setMatchers] = useState<Matcher[]>(given.length > 0 ? given : [{ name: '', operator: '=', value: '' }]);
  const [length, setLength] = useState('7200');
  const [until, setUntil] = useState('');
  const [comment, setComment] = useState('');
  const [wrong, setWrong] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sending, setSending] = useState(false);
  const [key] = useState(newKey);
  const reach = useReach(matchers);

  const submit = (event?: Event) => {
    event?.preventDefault();
    const ends = endOf(length, until, Date.now());
    const found = fault(matchers) ?? (ends ? null : 'Choose an end that lies ahead.');
    setWrong(found);
    if (found || !ends) return;
    setSending(true);
    setProblem(null);
    // Another content is another command: its key goes with it.
    const content = { matchers: matchers.map(write), ends_at: ends.toISOString(), comment };
    createSilence(content, `${key}-${ends.getTime()}`)
      .then((outcome) => {
        toast(outcome.done ? 'The silence is in force.' : 'Sent, waiting: a worker will make it.');
        tell('silence', { id: '' });
        close();
      })
      .catch((error: unknown) => setProblem(error instanceof Problem ? error : unanswered()))
      .finally(() => setSending(false));
  };

  return (
    <Dialog title={about ? `Silence “${about}”` : 'New silence'} wide>
      <form onSubmit={submit} class="form">
        <p class="muted">Nobody is told of alerts that match all of these, for as long as it lasts. They are kept, and shown.</p>
        <MatcherRows matchers={matchers} change={setMatchers} />
        <p class="reach" role="status">
          {reach}
        </p>
        <DurationField length={length} setLength={setLength} until={until} setUntil={setUntil} />
        <label class="field">
          <span>Why</span>
          <input value={comment} maxLength={4096} placeholder="Moving the data, ticket OPS-12" onInput={(event) => setComment(event.currentTarget.value)} />
        </label>
        {wrong && (
          <p class="fault" role="alert">
            {wrong}
          </p>
        )}
        {problem && <ProblemNote problem={problem} what="The silence was not made." />}
        <div class="form-foot">
          <button type="button" class="button" onClick={() => close()}>
            Back
          </button>
          <button type="submit" class="button button-primary" disabled={sending}>
            {sending ? 'Sending…' : problem ? 'Try again' : 'Silence'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** How much fires that would fall silent, as far as the API can tell: by equality. */
function useReach(matchers: readonly Matcher[]): string {
  const [text, setText] = useState('');
  const equal = matchers.filter(({ name, operator, value }) => name && operator === '=' && value);
  const rest = matchers.length - equal.length;
  const key = JSON.stringify(equal);
  useEffect(() => {
    const aborting = new AbortController();
    if (equal.length === 0) return setText('');
    const timer = setTimeout(() => {
      const label = equal.map(({ name, value }) => `${name}=${value}`);
      alerts({ status: 'firing', label, limit: 1 }, aborting.signal).then(
        (list) => setText(`${rest > 0 ? 'At most ' : ''}${list.total === 1 ? '1 alert that fires matches' : `${amount(list)} alerts that fire match`} now.`),
        () => setText(''),
      );
    }, 300);
    return () => {
      clearTimeout(timer);
      aborting.abort();
    };
  }, [key, rest]);
  return text;
}
