// Who was told of an incident, and what became of it.

import type { List, Notification } from '../../api/types';
import type { Resource } from '../../resource';
import { NoticeItem } from '../../ui/NoticeItem';
import { Loading, ProblemNote } from '../../ui/States';

export function Notifications({ list }: { list: Resource<List<Notification>> }) {
  const { data, problem, reload, retries } = list;
  return (
    <section class="panel" aria-label="Notifications">
      <h2>
        Notifications <span class="muted">{data?.total}</span>
      </h2>
      {problem && <ProblemNote problem={problem} what="They cannot be loaded." again={reload} retries={retries} />}
      {!data && !problem && <Loading what="notifications" />}
      {data?.data.length === 0 && <p class="muted">Nobody was told. Why not stands below.</p>}
      <ul class="items" role="list">
        {data?.data.map((notice) => (
          <NoticeItem key={notice.id} notice={notice} changed={reload} />
        ))}
      </ul>
    </section>
  );
}
