// A line to run, with a button that copies it.

import { useRef, useState } from 'preact/hooks';

export function Copyable({ text, name }: { text: string; name: string }) {
  const [copied, setCopied] = useState(false);
  const code = useRef<HTMLElement>(null);
  const copy = () => {
    // Without https there is no clipboard: then it is selected, to be copied by hand.
    const select = () => code.current && getSelection()?.selectAllChildren(code.current);
    if (!navigator.clipboard) return void select();
    navigator.clipboard.writeText(text).then(() => setCopied(true), select);
  };
  return (
    <div class="copyable">
      <pre tabIndex={0} aria-label={name}>
        <code ref={code}>{text}</code>
      </pre>
      <button type="button" class="button" onClick={copy}>
        {copied ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}
