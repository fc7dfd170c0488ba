import { fireEvent, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import { useCopy } from './clipboard';

tidyWorld();

function Copies({ done }: { done: (could: boolean) => void }) {
  const copy = useCopy();
  return <button type="button" onClick={() => void copy('words').then(done)}>Copy</button>;
}

it.each([undefined, { writeText: () => Promise.reject(new DOMException('Not allowed', 'NotAllowedError')) }])('says so when the browser does not let it copy', async (clipboard) => {
  const done = vi.fn();
  show(<Copies done={done} />);
  const button = await screen.findByRole('button', { name: 'Copy' });
  vi.stubGlobal('navigator', Object.create(navigator, { clipboard: { value: clipboard } }));
  fireEvent.click(button);
  expect(await screen.findByText(/does not let this page copy/)).toBeTruthy();
  expect(done).toHaveBeenCalledWith(false);
});
