// An incident that no alert tells of: somebody has noticed it first.

import { useState } from 'preact/hooks';
import type { Severity } from '../api/types';
import type { Matcher } from '../matchers';
import { MatcherRows } from '../ui/MatcherRows';
import { declare } from './act';
import { ActionDialog, SeverityChoice } from './IncidentDialogs';

const MAX_TITLE = 1_024;
const MAX_SUMMARY = 16_384;

export function DeclareDialog() {
  const [title, setTitle] = useState('');
  const [summary, setSummary] = useState('');
  const [severity, setSeverity] = useState<Severity>('high');
  const [labels, setLabels] = useState<Matcher[]>([]);
  const run = (key: string) => {
    const named = labels.filter(({ name }) => name !== '').map(({ name, value }) => [name, value]);
    return declare({ title: title.trim(), severity, labels: Object.fromEntries(named), ...(summary.trim() && { summary: summary.trim() }) }, key);
  };
  return (
    <ActionDialog title="Declare an incident" action="Declare" failed="It is not declared." run={run}>
      <p class="muted">For what no alert tells of. Who is told is decided by its labels, as for alerts.</p>
      <label class="field">
        <span>Title</span>
        <input value={title} required maxLength={MAX_TITLE} data-first placeholder="Checkout is slow" onInput={(event) => setTitle(event.currentTarget.value)} />
      </label>
      <SeverityChoice severity={severity} choose={setSeverity} />
      <label class="field">
        <span>What is known (optional)</span>
        <textarea rows={3} maxLength={MAX_SUMMARY} value={summary} onInput={(event) => setSummary(event.currentTarget.value)} />
      </label>
      <MatcherRows matchers={labels} change={setLabels} plain />
    </ActionDialog>
  );
}
