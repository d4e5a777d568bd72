// Draws a component anew only if one of its properties has changed: a board of hundreds of rows must not notice one event.

import { Component, type ComponentChild, type FunctionComponent, h } from 'preact';

export function memo<P extends object>(draw: FunctionComponent<P>): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const before: Record<string, unknown> = { ...this.props };
      const after: Record<string, unknown> = { ...next };
      return Object.keys({ ...before, ...after }).some((name) => before[name] !== after[name]);
    }
    override render(): ComponentChild {
      return h(draw, this.props);
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}
