// A time: how long ago, with the exact time on demand.

import { absolute, duration, now, relative } from '../time';

export function Ago({ at, prefix = '' }: { at: string; prefix?: string }) {
  const time = new Date(at);
  return (
    <time dateTime={at} title={absolute(time)}>
      {prefix}
      {relative(time.getTime(), now.value)}
    </time>
  );
}

/** For how long something has been so: `2 h 5 min`. */
export function Since({ at, until }: { at: string; until?: string | null }) {
  const time = new Date(at);
  const end = until ? new Date(until).getTime() : now.value;
  return (
    <time dateTime={at} title={absolute(time)}>
      {duration((end - time.getTime()) / 1000)}
    </time>
  );
}
