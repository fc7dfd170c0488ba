// After the build: every text file also as .br and .gz, so that the server compresses nothing, and the size of the first load against its budget.
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const root = path.resolve(import.meta.dirname, '../../src/RootMas.Server/wwwroot');
const budget = 260 * 1024;

const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => path.join(f.parentPath, f.name));
for (const file of files.filter((f) => /\.(js|css|html|svg|json|webmanifest)$/.test(f))) {
  const bytes = readFileSync(file);
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
}

// The first load: the page and whatever it names itself, scripts, styles and preloads.
const page = readFileSync(path.join(root, 'index.html'), 'utf8');
const named = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((m) => m[1]);
const size = ['index.html', ...named].reduce((sum, name) => sum + statSync(path.join(root, `${name}.gz`)).size, 0);
console.log(`first load: ${(size / 1024).toFixed(1)} KB gzip of ${budget / 1024} (${named.length + 1} files)`);
if (size > budget) {
  console.error('The first load is over its budget: load by route what is not needed at once.');
  process.exit(1);
}
