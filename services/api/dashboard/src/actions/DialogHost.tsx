// Shows the dialog that is open.

import { deleteSilence } from '../api/calls';
import { tell } from '../live/connection';
import { SilenceDialog } from '../pages/silences/SilenceDialog';
import { DeclareDialog } from './DeclareDialog';
import { type OpenDialog, openDialog } from './dialogs';
import { Help } from './Help';
import { ActionDialog, SeverityDialog, TextDialog } from './IncidentDialogs';
import { toast } from './toasts';

export function Dialogs() {
  const dialog = openDialog.value;
  return dialog ? <Shown key={dialog.id} dialog={dialog} /> : null;
}

function Shown({ dialog }: { dialog: OpenDialog }) {
  switch (dialog.kind) {
    case 'help':
      return <Help />;
    case 'declare':
      return <DeclareDialog />;
    case 'resolve':
    case 'cancel':
    case 'note':
      return <TextDialog kind={dialog.kind} incident={dialog.incident} />;
    case 'severity':
      return <SeverityDialog incident={dialog.incident} />;
    case 'silence':
      return <SilenceDialog labels={dialog.labels} about={dialog.about} />;
    case 'delete-silence': {
      const { id, matchers } = dialog.silence;
      const run = async (key: string) => {
        const outcome = await deleteSilence(id, key);
        toast(outcome.done ? 'The silence is deleted.' : 'Sent, waiting: a worker will delete it.');
        tell('silence', { id });
      };
      return (
        <ActionDialog title="Delete this silence?" action="Delete" danger failed="It is not deleted." run={run}>
          <p>
            <code>{matchers.join(', ')}</code>
          </p>
          <p class="muted">As if it had never been. To keep it in the list, end it instead.</p>
        </ActionDialog>
      );
    }
    case 'redrive-all': {
      const { count, what, run } = dialog;
      return (
        <ActionDialog title="Try them again?" action={`Redrive ${count}`} failed="Not all are tried again." run={run}>
          <p>
            {count} {what}. Do it once the reason is gone: what fails again comes back here. What was done already is not done twice.
          </p>
        </ActionDialog>
      );
    }
  }
}
