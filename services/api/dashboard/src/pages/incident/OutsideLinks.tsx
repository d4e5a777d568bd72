// Links that the senders of alerts gave.

import type { OutsideLink } from '../../links';
import { Icon } from '../../ui/Icon';

export function OutsideLinks({ links }: { links: readonly OutsideLink[] }) {
  return (
    <ul class="links" role="list" aria-label="Links">
      {links.slice(0, 12).map(({ name, address }) => (
        <li key={address}>
          <a class="button" href={address} target="_blank" rel="noopener noreferrer nofollow" title={address}>
            {name}
            <Icon shape="outside" />
            <span class="visually-hidden"> (opens a new tab)</span>
          </a>
        </li>
      ))}
    </ul>
  );
}
