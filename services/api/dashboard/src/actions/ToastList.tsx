// Shows the short messages, and has them read out.

import { remedy } from '../api/problem';
import { Icon } from '../ui/Icon';
import { announcement, dismiss, toasts } from './toasts';

export function Toasts() {
  return (
    <>
      <div class="toasts" role="log" aria-live="polite" aria-label="Messages">
        {toasts.value.map(({ id, text, problem }) => (
          <div key={id} class={problem ? 'toast toast-bad' : 'toast'}>
            <Icon shape={problem ? 'triangle' : 'check'} />
            <div>
              <p>{text}</p>
              {problem && (
                <p class="muted">
                  {problem.detail} {remedy(problem)} {problem.requestId && <code>{problem.requestId}</code>}
                </p>
              )}
            </div>
            <button type="button" class="button button-quiet" onClick={() => dismiss(id)} aria-label="Dismiss">
              <Icon shape="cross" />
            </button>
          </div>
        ))}
      </div>
      <div class="visually-hidden" aria-live="polite">
        {announcement.value}
      </div>
    </>
  );
}
