// A board with nothing on it: either all is well, or nothing arrives. The line tells which.

import { here } from '../../router';
import { Copyable } from '../../ui/Copy';
import { Empty } from '../../ui/States';

export function EmptyBoard({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return (
      <Empty shape="search" title="No incident matches these filters">
        <p>
          <a class="button" href={here.value.path}>
            Show all that is open
          </a>
        </p>
      </Empty>
    );
  }
  const line = `curl ${window.location.origin}/api/v1/webhooks/generic --json '{"title": "Test of the pager", "severity": "critical", "labels": {"team": "ops"}}'`;
  return (
    <Empty shape="check" title="All quiet: nothing is open">
      <p>To see that alerts arrive, send one. It appears here without a reload.</p>
      <Copyable text={line} name="Command that sends a test alert" />
      <p class="muted">If keyless webhooks are switched off, add a header with an integration’s key: Authorization: Bearer KEY.</p>
    </Empty>
  );
}
