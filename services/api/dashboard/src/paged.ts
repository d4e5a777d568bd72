// A list that grows by `load more`: page after page by cursor.

import { useCallback, useState } from 'preact/hooks';
import type { List } from './api/types';
import { type Resource, useResource } from './resource';

export interface Paged<T> extends Resource<List<T>> {
  /** Loads what follows; null at the end. */
  more: (() => void) | null;
  loadingMore: boolean;
}

/** `load` gives the page after a cursor, or the first one. */
export function usePaged<T>(key: string, load: (cursor: string | null, signal?: AbortSignal) => Promise<List<T>>): Paged<T> {
  const resource = useResource<List<T>>(key, (signal) => load(null, signal), true);
  const [loadingMore, setLoadingMore] = useState(false);
  const cursor = resource.data?.next_cursor ?? null;
  const more = useCallback(() => {
    setLoadingMore(true);
    load(cursor)
      .then((next) => resource.set((old) => ({ ...next, data: [...old.data, ...next.data] })))
      .catch(() => resource.reload())
      .finally(() => setLoadingMore(false));
  }, [key, cursor]);
  return { ...resource, more: cursor && !resource.loading ? more : null, loadingMore };
}
