import { configure } from '@testing-library/react';
import { vi } from 'vitest';

// A browser resolves addresses against its page; Node's Request does not. The API's client takes it when it is made.
const Plain = globalThis.Request;
globalThis.Request = class extends Plain {
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    super(typeof input === 'string' ? new URL(input, 'http://rootmas.test') : input, init);
  }
};

// What jsdom does not have.
globalThis.ResizeObserver ??= class { observe(): void { /* nothing has a size here */ } unobserve(): void { /* the same */ } disconnect(): void { /* the same */ } };
if (typeof Element !== 'undefined') Element.prototype.hasPointerCapture ??= () => false;

// A machine that does a lot else is slow, not wrong.
const patience = 20_000;
configure({ asyncUtilTimeout: patience });
const { waitFor } = vi;
vi.waitFor = (callback, options) => waitFor(callback, options ?? { timeout: patience });
