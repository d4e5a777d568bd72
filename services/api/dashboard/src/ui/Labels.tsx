// Labels: a click on one shows everything that has it.

import type { Labels as LabelMap } from '../api/types';

export function Labels({ labels, to, most = 100 }: { labels: LabelMap; to?: '/' | '/alerts'; most?: number }) {
  const entries = Object.entries(labels);
  if (entries.length === 0) return null;
  return (
    <ul class="labels" role="list">
      {entries.slice(0, most).map(([name, value]) => (
        <li key={name}>
          {to ? (
            <a class="label" href={`${to}?label=${encodeURIComponent(`${name}=${value}`)}`} title={`${name}=${value}`}>
              <span class="label-name">{name}</span>
              {value}
            </a>
          ) : (
            <span class="label" title={`${name}=${value}`}>
              <span class="label-name">{name}</span>
              {value}
            </span>
          )}
        </li>
      ))}
      {entries.length > most && <li class="muted">+{entries.length - most}</li>}
    </ul>
  );
}
