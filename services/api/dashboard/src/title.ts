// The title of the page, for tabs and for those who hear it.

import { useEffect } from 'preact/hooks';

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Tocsin`;
  }, [title]);
}
