import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// The server serves what is built here from its own origin; in development requests go to a server on its usual address.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: '../src/RootMas.Server/wwwroot', emptyOutDir: true, target: 'es2023', assetsInlineLimit: 0, sourcemap: false,
    // What the first page needs comes as one file, not as one for each part that other pages share with it: over a slow line each request costs more than its bytes.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'first', tags: ['$initial'] }] } } },
  },
  server: {
    proxy: Object.fromEntries(['/api', '/health', '/ws', '/docs', '/openapi'].map((path) => [path, { target: 'http://127.0.0.1:8000', ws: path === '/ws' }])),
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'], setupFiles: ['src/testing/setup.ts'], testTimeout: 60_000, restoreMocks: true, css: { include: [/tokens\.css/] } },
});
