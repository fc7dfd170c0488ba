import { availableParallelism } from 'node:os';

import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** The page names the texts of each language: the worker finds there what it may keep of them. No script runs in the page itself, so that they stand in a tag. */
const namedTexts: Plugin = {
  name: 'named-texts',
  transformIndexHtml: {
    order: 'post',
    handler: (_html, { bundle }) => {
      const files = Object.values(bundle ?? {}).flatMap((part) => part.type === 'chunk' && part.facadeModuleId && /\/i18n\/\w+\.json$/.test(part.facadeModuleId) ? [`/${part.fileName}`] : []);
      return files.length === 0 ? [] : [{ tag: 'meta', attrs: { name: 'texts', content: files.sort().join(' ') }, injectTo: 'head' }];
    },
  },
};

// The server serves what is built here from its own origin; in development requests go to a server on its usual address.
export default defineConfig({
  plugins: [react(), namedTexts],
  build: {
    outDir: '../src/RootMas.Server/wwwroot', emptyOutDir: true, target: 'es2023', assetsInlineLimit: 0, sourcemap: false, manifest: true,
    // What the first page needs comes as one file, not as one for each part that other pages share with it: over a slow line each request costs more than its bytes.
    // So do signs, and what most parts use, which are smaller than what each costs as a file of its own; and what shows how an answer is made.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'first', tags: ['$initial'] }, { name: 'icons', test: /lucide-react/, minShareCount: 2 },
            { name: 'shared', test: /src.(chat|i18n|pages.chat|ui|app|api)/, minShareCount: 5 }, { name: 'turns', test: /src.chat.(Cite|Decisions|Activity|PlanGraph)/, minShareCount: 2 },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(['/api', '/health', '/ws', '/docs', '/openapi'].map((path) => [path, { target: 'http://127.0.0.1:8000', ws: path === '/ws' }])),
  },
  test: {
    setupFiles: ['src/testing/setup.ts'], testTimeout: 60_000, restoreMocks: true, css: { include: [/tokens\.css/] },
    maxWorkers: availableParallelism(), pool: 'forks', // threads of one process would hear each other's windows (BroadcastChannel)
    // To make a page takes longer than most tests: one of reducers and words gets none unless it says that it needs it.
    projects: [
      { extends: true, test: { name: 'pages', include: ['src/**/*.test.tsx'], environment: 'jsdom' } },
      { extends: true, test: { name: 'plain', include: ['src/**/*.test.ts'], environment: 'node' } },
    ],
  },
});
