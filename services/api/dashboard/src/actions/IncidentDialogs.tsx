// The dialogs of an incident's actions: each says what it does, and keeps what was typed if it fails.

import { useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { Problem, unanswered } from '../api/problem';
import { newKey } from '../api/client';
import type { Incident, Severity } from '../api/types';
import { SeverityBadge } from '../ui/Badge';
import { Dialog } from '../ui/Dialog';
import { ProblemNote } from '../ui/States';
import { changeSeverity, respondTo } from './act';
import { close } from './dialogs';

interface FormProps {
  title: string;
  action: string;
  /** Sent under this key: trying again does it once. */
  run: (key: string) => Promise<void>;
  failed: string;
  danger?: boolean;
  children?: ComponentChildren;
}

/** A dialog that does one thing. */
export function ActionDialog({ title, action, run, failed, danger = false, children }: FormProps) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sending, setSending] = useState(false);
  const [key, setKey] = useState(newKey);
  const submit = (event?: Event) => {
    event?.preventDefault();
    setSending(true);
    run(key)
      .then(() => close(), (error: unknown) => {
        const found = error instanceof Problem ? error : unanswered();
        // Refused for good, what is sent next is another command.
        if (!found.passes) setKey(newKey());
        setProblem(found);
      })
      .finally(() => setSending(false));
  };
  return (
    <Dialog title={title}>
      <form
        class="form"
        onSubmit={submit}
        onKeyDown={(event) => event.key === 'Enter' && (event.ctrlKey || event.metaKey) && submit(event)}
      >
        {children}
        {problem && <ProblemNote problem={problem} what={failed} />}
        <div class="form-foot">
          <button type="button" class="button" onClick={() => close()}>
            Back
          </button>
          <button type="submit" class={danger ? 'button button-danger' : 'button button-primary'} disabled={sending}>
            {sending ? 'Sending…' : problem ? 'Try again' : action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const MAX_NOTE = 16_384;

function NoteField({ name, value, change, required = false }: { name: string; value: string; change: (text: string) => void; required?: boolean }) {
  return (
    <label class="field">
      <span>{name}</span>
      <textarea rows={4} maxLength={MAX_NOTE} required={required} data-first value={value} onInput={(event) => change(event.currentTarget.value)} />
      <span class="muted">Ctrl+Enter sends.</span>
    </label>
  );
}

/** Resolving, canceling, and noting differ in their words alone. */
export function TextDialog({ kind, incident }: { kind: 'resolve' | 'cancel' | 'note'; incident: Incident }) {
  const [text, setText] = useState('');
  const number = incident.incident_number;
  const note = text.trim() ? { note: text.trim() } : {};
  if (kind === 'note') {
    return (
      <ActionDialog title={`Note on #${number}`} action="Add note" failed="The note was not added." run={(key) => respondTo(incident, 'notes', { text: text.trim() }, key)}>
        <NoteField name="For the timeline" value={text} change={setText} required />
      </ActionDialog>
    );
  }
  if (kind === 'resolve') {
    return (
      <ActionDialog title={`Resolve #${number}`} action="Resolve" failed="It is not resolved." run={(key) => respondTo(incident, 'resolve', note, key)}>
        <p>{incident.title}</p>
        {incident.firing_count > 0 && (
          <p class="warn">
            {incident.firing_count === 1 ? '1 alert still fires' : `${incident.firing_count} alerts still fire`}. If the sender tells of it again, an incident opens again.
          </p>
        )}
        <NoteField name="What it was (optional)" value={text} change={setText} />
      </ActionDialog>
    );
  }
  return (
    <ActionDialog title={`Cancel #${number}`} action="It was none" danger failed="It is not canceled." run={(key) => respondTo(incident, 'cancel', note, key)}>
      <p>{incident.title}</p>
      <p class="muted">For what was no incident: a test, a false alarm. It counts as over.</p>
      <NoteField name="Why (optional)" value={text} change={setText} />
    </ActionDialog>
  );
}

const MEANINGS: [Severity, string][] = [
  ['critical', 'users are without it now'],
  ['high', 'users notice'],
  ['medium', 'it will be noticed'],
  ['low', 'it can wait'],
];

/** With `first`, the dialog begins here. */
export function SeverityChoice({ severity, choose, first = false }: { severity: Severity; choose: (severity: Severity) => void; first?: boolean }) {
  return (
    <fieldset class="choices">
      <legend class={first ? 'visually-hidden' : ''}>Severity</legend>
      {MEANINGS.map(([one, meaning]) => (
        <label key={one} class="choice-line">
          <input type="radio" name="severity" value={one} checked={severity === one} onChange={() => choose(one)} data-first={first && severity === one} />
          <SeverityBadge severity={one} />
          <span class="muted">{meaning}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function SeverityDialog({ incident }: { incident: Incident }) {
  const [severity, setSeverity] = useState<Severity>(incident.severity);
  return (
    <ActionDialog title={`Severity of #${incident.incident_number}`} action="Set" failed="The severity is as it was." run={(key) => changeSeverity(incident, severity, key)}>
      <SeverityChoice severity={severity} choose={setSeverity} first />
      <p class="muted">What you set stays, whatever its alerts say.</p>
    </ActionDialog>
  );
}
