// Shapes. Each stands beside a word; none means anything by itself.

const PATHS = {
  octagon: 'M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z',
  triangle: 'M8 1.5 15.2 14H.8z',
  diamond: 'M8 1l7 7-7 7-7-7z',
  ring: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zm0 2.6a3.9 3.9 0 1 0 0 7.8 3.9 3.9 0 0 0 0-7.8z',
  dot: 'M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3z',
  check: 'M13.7 3.3 15 4.7l-8.5 8.5L1 7.8l1.4-1.4 4.1 4z',
  cross: 'M3.4 2 8 6.6 12.6 2 14 3.4 9.4 8l4.6 4.6-1.4 1.4L8 9.4 3.4 14 2 12.6 6.6 8 2 3.4z',
  eye: 'M8 3c3.5 0 6.2 2.2 7.6 5-1.4 2.8-4.1 5-7.6 5S1.8 10.8.400 8C1.8 5.2 4.5 3 8 3zm0 2.2A2.8 2.8 0 1 0 8 10.8 2.8 2.8 0 0 0 8 5.2z',
  clock: 'M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zm0 2a5 5 0 1 0 0 10A5 5 0 0 0 8 3zm1 1.5v3.1l2.2 1.3-.9 1.6L7.2 8.7V4.5z',
  arrow: 'M9 2.5 14.5 8 9 13.5l-1.4-1.4L10.7 9H1.5V7h9.2L7.6 3.9z',
  skip: 'M2 3l6 5-6 5zm6 0 6 5-6 5z',
  note: 'M2 2h12v8.5L10.5 14H2zm3 3v1.5h6V5zm0 3.2v1.5h4V8.2z',
  bell: 'M8 1a4.5 4.5 0 0 0-4.5 4.5V9L2 11.5h12L12.5 9V5.5A4.5 4.5 0 0 0 8 1zM6 12.8a2 2 0 0 0 4 0z',
  muted: 'M8 1a4.5 4.5 0 0 1 4.5 4.5v3.4L5 2.2A4.4 4.4 0 0 1 8 1zM2.1 1 15 13.9l-1 1L11.6 12.5H2L3.5 10V6.5c0-.5.1-1 .2-1.4L1 2.1z',
  outside: 'M9 2h5v5l-1.8-1.8-4.9 4.9-1.4-1.4 4.9-4.9zM3 3h4v1.8H4.8v6.4h6.4V9H13v4H3z',
  search: 'M6.8 1.5a5.3 5.3 0 0 1 4.2 8.5l3.7 3.7-1.3 1.3-3.7-3.7a5.3 5.3 0 1 1-2.9-9.8zm0 1.9a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8z',
  half: 'M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1zm0 2v10A5 5 0 0 0 8 3z',
  repeat: 'M8 2.5c1.6 0 3 .7 4 1.8V2.5h1.8v5H9V5.7h1.9A3.7 3.7 0 1 0 11.6 9h1.9A5.5 5.5 0 1 1 8 2.5z',
} as const;

export type Shape = keyof typeof PATHS;

export function Icon({ shape, class: name = '' }: { shape: Shape; class?: string }) {
  return (
    <svg class={`icon ${name}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[shape]} fill-rule="evenodd" />
    </svg>
  );
}
