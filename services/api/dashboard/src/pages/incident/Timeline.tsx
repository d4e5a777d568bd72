// What has happened to an incident, the newest first.

import type { TimelineEntry } from '../../api/types';
import { Icon, type Shape } from '../../ui/Icon';
import { absolute, clock } from '../../time';
import { Ago } from '../../ui/Time';

/** The shape of a kind of entry, and whether a person did it. */
function shapeOf(type: string): [Shape, string] {
  if (type === 'note') return ['note', 'note'];
  if (type.endsWith('_acknowledged')) return ['eye', 'busy'];
  if (type.endsWith('_resolved')) return ['check', 'good'];
  if (type.endsWith('_canceled')) return ['cross', 'quiet'];
  if (type.endsWith('_reopened') || type.endsWith('_flapping')) return ['repeat', 'bad'];
  if (type.endsWith('_severity_changed')) return ['triangle', 'busy'];
  if (type.endsWith('_timed_out') || type.endsWith('_reminded')) return ['clock', 'quiet'];
  if (type.endsWith('_triggered') || type.endsWith('_firing') || type.endsWith('_escalated')) return ['bell', 'bad'];
  return ['dot', 'quiet'];
}

export function Timeline({ entries }: { entries: readonly TimelineEntry[] }) {
  const newest = [...entries].reverse();
  return (
    <section class="panel" aria-label="Timeline">
      <h2>
        Timeline <span class="muted">{entries.length}</span>
      </h2>
      <ol class="timeline" reversed>
        {newest.map((entry) => {
          const [shape, tone] = shapeOf(entry.type);
          const at = new Date(entry.timestamp);
          return (
            <li key={entry.id} class={`entry tone-${tone}`}>
              <Icon shape={shape} />
              <div class="entry-body">
                <p class={entry.type === 'note' ? 'entry-text entry-note' : 'entry-text'}>{entry.content}</p>
                <p class="entry-meta muted">
                  <time dateTime={entry.timestamp} title={absolute(at)}>
                    {clock(at)}
                  </time>
                  {' · '}
                  <Ago at={entry.timestamp} />
                  {entry.actor_name && ` · ${entry.actor_name}`}
                </p>
              </div>
            </li>
          );
        })}
      </ol>
      {entries.length >= 500 && <p class="muted">These are the newest 500.</p>}
    </section>
  );
}
