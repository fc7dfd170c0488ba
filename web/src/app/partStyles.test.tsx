import { act, render, screen } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { loadPart, useIsWaiting } from './parts';

afterEach(() => { vi.unstubAllGlobals(); });

const sheets = () => [...document.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')];

function add(href: string): HTMLLinkElement {
  const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href });
  document.head.append(link);
  return link;
}

/** As Vite tells it. */
async function fails(link: HTMLLinkElement): Promise<never> {
  await Promise.resolve();
  link.dispatchEvent(new Event('error'));
  throw new Error(`Unable to preload CSS for ${link.href}`);
}

it('fetches a style that did not come once more before its part is loaded again', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('ok')));
  let dead: HTMLLinkElement | undefined;
  // As Vite does it: the second time it takes the style for loaded.
  const load = vi.fn<() => Promise<string>>().mockImplementationOnce(() => {
    dead = add('/assets/page.css');
    return fails(dead);
  }).mockResolvedValue('part');
  const part = loadPart(load);
  await vi.waitFor(() => { expect(sheets()).toHaveLength(1); });
  expect(sheets()[0]).not.toBe(dead);
  await act(() => Promise.resolve());
  expect(load).toHaveBeenCalledOnce(); // not before it is there
  sheets()[0]?.dispatchEvent(new Event('load'));
  expect(await part).toBe('part');
  expect(await loadPart(load)).toBe('part');
  expect(sheets()).toHaveLength(1);
});

it('does not let a part wait for what another one lost, and fetches that once for both', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('ok')));
  const lost = 'Unable to preload CSS for';
  const those = () => sheets().filter((s) => s.href.endsWith('/assets/one.css'));
  const one = loadPart(vi.fn<() => Promise<string>>().mockImplementationOnce(() => fails(add('/assets/one.css'))).mockResolvedValue('one'));
  const refused = expect(one).rejects.toThrow(lost);
  await vi.waitFor(() => { expect(those()).toHaveLength(1); });
  await act(() => Promise.resolve());
  const two = loadPart(() => Promise.resolve('two'));
  expect(those()).toHaveLength(1);
  those()[0]?.dispatchEvent(new Event('error'));
  await refused;
  expect(await two).toBe('two');
  expect(await loadPart(() => Promise.resolve('three'))).toBe('three'); // nor for one whose answer does not come
  expect(those()).toHaveLength(1);
  those()[0]?.dispatchEvent(new Event('load'));
});

it('says that a part is waited for until the server answers', async () => {
  let there = false;
  vi.stubGlobal('fetch', () => there ? Promise.resolve(new Response('ok')) : Promise.reject(new TypeError('refused')));
  function Waits() {
    return <p>{useIsWaiting() ? 'waits' : 'goes on'}</p>;
  }
  render(<Waits />);
  const part = loadPart(() => there ? Promise.resolve('part') : Promise.reject(new TypeError('gone')));
  expect(await screen.findByText('waits')).toBeTruthy();
  there = true;
  expect(await part).toBe('part');
  expect(await screen.findByText('goes on')).toBeTruthy();
});
