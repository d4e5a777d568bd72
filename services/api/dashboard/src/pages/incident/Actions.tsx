// What can be done to an incident as it stands.

import { acknowledge, reopen } from '../../actions/act';
import { show } from '../../actions/dialogs';
import type { Incident } from '../../api/types';
import { may } from '../../session';

export function Actions({ incident }: { incident: Incident }) {
  if (!may('respond')) return <p class="muted">Your token may read, not respond: sign in with one that may, to act on this.</p>;
  const { status } = incident;
  const open = status === 'triggered' || status === 'acknowledged';
  return (
    <div class="actions" role="group" aria-label="Actions">
      {status === 'triggered' && <Action name="Acknowledge" key_="a" primary run={() => acknowledge(incident)} />}
      {open && <Action name="Resolve" key_="r" primary={status === 'acknowledged'} run={() => show({ kind: 'resolve', incident })} />}
      {status === 'acknowledged' && <Action name="Give back" key_="o" run={() => reopen(incident)} />}
      {!open && <Action name="Reopen" key_="o" primary run={() => reopen(incident)} />}
      <Action name="Note" key_="n" run={() => show({ kind: 'note', incident })} />
      <Action name="Silence…" key_="s" run={() => show({ kind: 'silence', labels: incident.labels, about: incident.title })} />
      <Action name="Severity…" run={() => show({ kind: 'severity', incident })} />
      {open && <Action name="Cancel…" run={() => show({ kind: 'cancel', incident })} />}
    </div>
  );
}

function Action({ name, run, key_, primary = false }: { name: string; run: () => void; key_?: string; primary?: boolean }) {
  return (
    <button type="button" class={primary ? 'button button-primary' : 'button'} onClick={run} {...(key_ ? { 'aria-keyshortcuts': key_ } : {})}>
      {name}
      {key_ && <kbd aria-hidden="true">{key_}</kbd>}
    </button>
  );
}
