// After the build: every text file also as .br and .gz, so that the server compresses nothing, and the size of the first loads against their budgets.
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const root = path.resolve(import.meta.dirname, '../../src/RootMas.Server/wwwroot');

// What Vite tells of its parts is for this script only.
const manifest = JSON.parse(readFileSync(path.join(root, '.vite/manifest.json'), 'utf8'));
rmSync(path.join(root, '.vite'), { recursive: true });

const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => path.join(f.parentPath, f.name));
for (const file of files.filter((f) => /\.(js|css|html|svg|json|webmanifest)$/.test(f))) {
  const bytes = readFileSync(file);
  writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
}

// Two first visits by somebody who is signed in, each with all that it fetches: the page and what it names, the page of the chat with everything that it needs at once, the texts of one language (the longer ones), the worker, icon and
// manifest; at `/c/ID` also what shows messages and the Markdown of an answer without code and formulas. `FirstLoadTests` compare them with what a browser fetches.
const page = readFileSync(path.join(root, 'index.html'), 'utf8');
const named = ['index.html', 'sw.js', 'icon.svg', 'manifest.webmanifest', ...[...page.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((m) => m[1])];
const size = (name) => statSync(path.join(root, `${name}.gz`)).size;
const texts = ['en', 'ru'].map((language) => `src/i18n/${language}.json`).sort((a, b) => size(manifest[b].file) - size(manifest[a].file))[0];
function take(fetched, key) {
  const part = manifest[key];
  if (!part) throw new Error(`The build has no part ${key}.`);
  if (fetched.has(part.file) && !key.startsWith('src/')) return fetched;
  fetched.add(part.file);
  for (const style of part.css ?? []) fetched.add(style);
  for (const other of part.imports ?? []) take(fetched, other);
  return fetched;
}

let isOver = false;
function weigh(visit, budget, parts) {
  const fetched = parts.reduce(take, new Set(named));
  const sum = [...fetched].reduce((all, name) => all + size(name), 0);
  console.log(`first load of ${visit}: ${(sum / 1024).toFixed(1)} KB gzip of ${budget} (${fetched.size} files)`);
  if (process.argv.includes('--list')) for (const name of [...fetched].sort((a, b) => size(b) - size(a))) console.log(`  ${(size(name) / 1024).toFixed(1)} KB ${name}`);
  isOver ||= sum > budget * 1024;
}
weigh('/', 260, ['src/pages/chat/ChatPage.tsx', texts]);
weigh('/c/ID', 336, ['src/pages/chat/ChatPage.tsx', texts, 'src/pages/chat/Turns.tsx', 'src/chat/MarkdownBlock.tsx']);
if (isOver) {
  console.error('The first load is over its budget: load by route, or when it is needed, what is not needed at once.');
  process.exit(1);
}
