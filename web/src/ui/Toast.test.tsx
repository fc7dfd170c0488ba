import { act, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import { useToast } from './Toast';

tidyWorld();

function Says({ run, onExpire }: { run: () => void; onExpire: () => void }) {
  const toast = useToast();
  return <button type="button" onClick={() => { toast('It was deleted', { action: { label: 'Undo', run }, onExpire }); }}>Delete</button>;
}

async function deleted() {
  const [run, onExpire] = [vi.fn(), vi.fn()];
  const { user } = show(<Says run={run} onExpire={onExpire} />);
  await user.click(await screen.findByRole('button', { name: 'Delete' }));
  await screen.findByText('It was deleted');
  act(() => { dispatchEvent(new Event('blur')); }); // it stays, however slow the machine is
  return { user, run, onExpire };
}

it('offers to undo, and what was undone is never final', async () => {
  const { user, run, onExpire } = await deleted();
  await user.click(screen.getByRole('button', { name: 'Undo' }));
  expect(run).toHaveBeenCalledOnce();
  expect(onExpire).not.toHaveBeenCalled();
  expect(screen.queryByText('It was deleted')).toBeNull();
});

it('makes final what somebody closes', async () => {
  const { user, run, onExpire } = await deleted();
  await user.click(screen.getByRole('button', { name: 'Close' }));
  expect(onExpire).toHaveBeenCalledOnce();
  expect(run).not.toHaveBeenCalled();
});

it('makes final what gives way to newer ones', async () => {
  const { user, onExpire } = await deleted();
  for (let i = 0; i < 3; i++) await user.click(screen.getByRole('button', { name: 'Delete' }));
  expect(onExpire).not.toHaveBeenCalled();
  await user.click(screen.getByRole('button', { name: 'Delete' }));
  expect(onExpire).toHaveBeenCalledOnce();
});

it('makes final once what is still there when the page is left', async () => {
  const { onExpire } = await deleted();
  act(() => { dispatchEvent(new Event('pagehide')); });
  act(() => { dispatchEvent(new Event('pagehide')); });
  expect(onExpire).toHaveBeenCalledOnce();
  expect(screen.queryByText('It was deleted')).toBeNull();
});
