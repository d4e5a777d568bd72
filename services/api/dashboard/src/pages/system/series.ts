// What was seen of a figure lately, and the line that shows it.

/** Points that are kept: ten minutes of one every five seconds. */
export const MAX_POINTS = 120;

/** Figures by name, oldest first. */
export class Series {
  private readonly byName = new Map<string, number[]>();

  /** Adds one point to each figure; one that is not told of any more is forgotten. */
  push(figures: Record<string, number>): void {
    for (const name of this.byName.keys()) if (!(name in figures)) this.byName.delete(name);
    for (const [name, value] of Object.entries(figures)) {
      const points = this.byName.get(name) ?? [];
      points.push(Number.isFinite(value) ? value : 0);
      this.byName.set(name, points.slice(-MAX_POINTS));
    }
  }

  get(name: string): readonly number[] {
    return this.byName.get(name) ?? [];
  }
}

/** The `points` of a polyline from right to left in a box: the newest at its right edge, zero at its bottom. */
export function linePoints(values: readonly number[], width: number, height: number, span = MAX_POINTS): string {
  const top = Math.max(...values, 1e-9);
  const step = width / (span - 1);
  const round = (number: number) => Math.round(number * 10) / 10;
  return values
    .map((value, index) => {
      const x = width - (values.length - 1 - index) * step;
      return `${round(x)},${round(height - (Math.max(0, value) / top) * height)}`;
    })
    .join(' ');
}

/** A figure in little room: `0`, `0.4`, `12`, `3.4k`, `1.2M`. */
export function compact(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return size >= 100 || Number.isInteger(value) ? String(Math.round(value)) : trim(value);
}

const trim = (value: number): string => value.toFixed(1).replace(/\.0$/, '');
