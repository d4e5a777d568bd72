// A dialog: the browser keeps the focus in it, Escape closes it, and the focus goes back to where it was.

import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { close, openDialog } from '../actions/dialogs';
import { Icon } from './Icon';

export function Dialog({ title, children, wide = false }: { title: string; children: ComponentChildren; wide?: boolean }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // The browser tells late that it has closed a dialog: another one may be open by then.
  const mine = useRef(openDialog.peek()?.id ?? 0).current;
  const closeThis = () => close(mine);
  useEffect(() => {
    const before = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    const element = dialog.current;
    element?.showModal();
    element?.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => {
      if (element?.open) element.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? 'dialog dialog-wide' : 'dialog'}
      aria-labelledby={id}
      onClose={closeThis}
      onClick={(event) => event.target === dialog.current && closeThis()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="button button-quiet" onClick={closeThis} aria-label="Close">
            <Icon shape="cross" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
