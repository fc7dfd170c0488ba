import { cleanup, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import { show, tidyWorld } from '../testing/world';
import { useDraft } from './drafts';
import { forgetDrafts } from './storage';

tidyWorld();
afterEach(forgetDrafts);

function Writes() {
  const { text, setText, forget, wasKept } = useDraft('edit/m1', 'As it was');
  return <><input value={text} onChange={(e) => { setText(e.target.value); }} /><button type="button" onClick={forget}>{wasKept ? 'kept' : 'new'}</button></>;
}

/** As after a reload. */
async function shown() {
  cleanup();
  const { user } = show(<Writes />);
  const box = await screen.findByRole<HTMLInputElement>('textbox');
  return { user, box, said: () => [box.value, screen.getByRole('button').textContent] };
}

it('keeps what was written over a reload until it went its way, and not what nobody changed', async () => {
  const first = await shown();
  expect(first.said()).toEqual(['As it was', 'new']);
  await first.user.type(first.box, ', longer');
  const second = await shown();
  expect(second.said()).toEqual(['As it was, longer', 'kept']);
  await second.user.click(screen.getByRole('button'));
  expect(second.box.value).toBe('As it was');
  expect((await shown()).said()).toEqual(['As it was', 'new']);
});

it('is gone with sign-out', async () => {
  const { user, box } = await shown();
  await user.type(box, '!');
  forgetDrafts();
  expect((await shown()).said()).toEqual(['As it was', 'new']);
});
