import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useRef, useState } from 'react';
import { afterEach, expect, it, vi } from 'vitest';
import { useCover } from './cover';

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function Page() {
  const [open, setOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const covers = useCover(open, '(max-width: 860px)', () => { setOpen(false); }, opener);
  return (
    <>
      {open ? <nav><a href="/runs">Runs</a></nav> : null}
      <main inert={covers}><button ref={opener} type="button" onClick={() => { setOpen(true); }}>Menu</button></main>
    </>
  );
}

const on = (narrow: boolean) => {
  vi.stubGlobal('matchMedia', () => ({ matches: narrow, addEventListener: () => undefined, removeEventListener: () => undefined }));
  render(<Page />);
  return userEvent.setup();
};
const main = () => screen.getByRole('main', { hidden: true });

it('makes what it covers unreachable, until Escape closes it and gives the focus back', async () => {
  const user = on(true);
  await user.click(screen.getByRole('button', { name: 'Menu' }));
  expect(main().inert || main().hasAttribute('inert')).toBe(true);
  await user.keyboard('{Escape}');
  expect(screen.queryByRole('navigation')).toBeNull();
  expect(main().hasAttribute('inert')).toBe(false);
  await vi.waitFor(() => { expect(document.activeElement?.textContent).toBe('Menu'); });
});

it('covers nothing where there is room', async () => {
  const user = on(false);
  await user.click(screen.getByRole('button', { name: 'Menu' }));
  expect(main().hasAttribute('inert')).toBe(false);
  await user.keyboard('{Escape}');
  expect(screen.getByRole('navigation')).toBeTruthy();
});
