// A line of what a figure was lately. The figure itself stands beside it: the line adds its shape.

import { linePoints } from './series';

const [WIDTH, HEIGHT] = [120, 28];

export function Chart({ values, name }: { values: readonly number[]; name: string }) {
  const most = Math.max(0, ...values);
  return (
    <svg class="chart" viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`} preserveAspectRatio="none" role="img" aria-label={`${name}, at most ${Math.round(most * 10) / 10} in the last minutes`}>
      <line x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} class="chart-base" />
      {values.length > 1 && <polyline points={linePoints(values, WIDTH, HEIGHT)} class="chart-line" />}
    </svg>
  );
}
