import { render, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { tidyWorld } from '../testing/world';
import { Boundary } from './Broken';

tidyWorld();

it('leaves no white page when something breaks outside the pages, and says what to quote', () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const Breaks = () => { throw new Error('no such colour'); };
  render(<Boundary><Breaks /></Boundary>);
  expect(screen.getByRole('heading', { name: 'This page broke' })).toBeTruthy();
  expect(screen.getByText('no such colour')).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Reload' })).toBeTruthy();
  said.mockRestore();
});

it('is not seen while nothing breaks', () => {
  render(<Boundary><p>All is well.</p></Boundary>);
  expect(screen.getByText('All is well.')).toBeTruthy();
});
