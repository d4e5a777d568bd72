// The keys, all of them.

import { Dialog } from '../ui/Dialog';

const KEYS: [string, [string, string][]][] = [
  [
    'Go to',
    [
      ['g b', 'board'],
      ['g a', 'alerts'],
      ['g s', 'silences'],
      ['g d', 'dead letters'],
      ['g y', 'system'],
    ],
  ],
  [
    'In a list',
    [
      ['j', 'next'],
      ['k', 'the one before'],
      ['enter', 'open'],
      ['/', 'search'],
    ],
  ],
  [
    'An incident, selected or open',
    [
      ['a', 'acknowledge'],
      ['r', 'resolve'],
      ['n', 'note'],
      ['s', 'silence its labels'],
      ['o', 'reopen or give back (when open)'],
    ],
  ],
  [
    'Anywhere',
    [
      ['?', 'this help'],
      ['c', 'declare an incident'],
      ['esc', 'close, or leave a field'],
    ],
  ],
];

export function Help() {
  return (
    <Dialog title="Keys" wide>
      <div class="help">
        {KEYS.map(([name, keys]) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    {key.split(' ').map((part) => (
                      <kbd key={part}>{part}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
