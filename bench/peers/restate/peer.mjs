// Restate: its own server (a process beside this one) journals every step of a handler; the handler's steps each ask the model once.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import * as restate from '@restatedev/restate-sdk';
import { serve, simUrl } from '../common.mjs';

// Node 20 does not have it, and the SDK uses it.
Promise.withResolvers ??= function withResolvers() {
  let resolve, reject;
  const promise = new Promise((yes, no) => { [resolve, reject] = [yes, no]; });
  return { promise, resolve, reject };
};

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const [ingress, admin, node, handlers] = [await freePort(), await freePort(), await freePort(), await freePort()];
const base = mkdtempSync(path.join(os.tmpdir(), 'rootmas-bench-restate-'));
const require = createRequire(import.meta.url);
const program = path.join(path.dirname(require.resolve('@restatedev/restate-server-linux-x64/package.json')), 'bin', 'restate-server');
const server = spawn(program, ['--base-dir', base], {
  stdio: 'ignore',
  env: {
    ...process.env, RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`, RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`, RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`, RESTATE_DISABLE_TELEMETRY: 'true', RESTATE_LOG_FILTER: 'error',
  },
});
process.on('exit', () => {
  server.kill('SIGKILL');
  rmSync(base, { recursive: true, force: true });
});
process.on('SIGTERM', () => process.exit(0));

const ask = async () => {
  const response = await fetch(`${simUrl}/v1/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'sim-standard', messages: [{ role: 'user', content: 'hello' }] }),
  });
  return (await response.json()).choices[0].message.content;
};
const bench = restate.service({
  name: 'bench',
  handlers: {
    steps: async (ctx) => {
      let last;
      for (let i = 0; i < 5; i++) last = await ctx.run(`step ${i}`, ask);
      return last;
    },
  },
});
await restate.serve({ services: [bench], port: handlers, logger: () => {} }); // stdout belongs to the results

const until = Date.now() + 30_000;
for (;;) {
  try {
    const registered = await fetch(`http://127.0.0.1:${admin}/deployments`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ uri: `http://127.0.0.1:${handlers}` }),
    });
    if (registered.ok) break;
    throw new Error(await registered.text());
  } catch (error) {
    if (Date.now() > until) throw error;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

await serve({
  steps: async () => (await fetch(`http://127.0.0.1:${ingress}/bench/steps`, { method: 'POST' })).json(),
});
