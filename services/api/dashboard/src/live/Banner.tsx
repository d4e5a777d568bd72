// Says plainly that what is shown may be old, and how old.

import { useEffect, useState } from 'preact/hooks';
import { duration } from '../time';
import { Icon } from '../ui/Icon';
import { lastHeard, liveState } from './connection';

export function Banner() {
  const state = liveState.value;
  const lost = state === 'lost';
  const [present, setPresent] = useState(Date.now());
  useEffect(() => {
    if (!lost) return;
    const timer = setInterval(() => setPresent(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [lost]);
  const age = lastHeard.value ? duration((Math.max(present, lastHeard.value) - lastHeard.value) / 1000) : null;
  return (
    <div role="status" class={lost ? 'banner banner-shown' : 'banner'}>
      {lost && (
        <p>
          <Icon shape="triangle" />
          <span>
            <strong>The live connection is lost.</strong> Reconnecting<span aria-hidden="true">{age ? `; last update ${age} ago.` : '.'}</span>
          </span>
        </p>
      )}
    </div>
  );
}

export function LiveMark() {
  const state = liveState.value;
  if (state === 'off') return null;
  const words = { connecting: 'connecting', live: 'live', lost: 'reconnecting', paused: 'paused' }[state];
  return (
    <span class={`live live-${state}`}>
      <Icon shape={state === 'live' ? 'dot' : 'ring'} />
      {words}
    </span>
  );
}
