import { cleanup, render } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import { Page } from './Layout';

afterEach(cleanup);

it('gives the browser the name of the page, or what tells it apart', () => {
  const { rerender } = render(<Page title="Runs">The list</Page>);
  expect(document.title).toBe('Runs – Root-MAS');
  rerender(<Page title="Trip" tab="Trip – Run: Plan">The run</Page>);
  expect(document.title).toBe('Trip – Run: Plan – Root-MAS');
});
