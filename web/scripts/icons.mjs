// The icon's pictures for browsers and phones that take no SVG, made from public/icon.svg by Chromium; run by hand when the icon changes, the pictures are kept beside it.
//   node scripts/icons.mjs
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const folder = path.resolve(import.meta.dirname, '../public');
const svg = readFileSync(path.join(folder, 'icon.svg'), 'utf8');
const ground = /fill="(#\w+)"/.exec(svg)[1];
const inner = svg.replace(/<rect[^>]*>/, ''); // what stands on the ground

// Phones cut their own form out of a maskable icon: what counts lies in the middle 80 % (W3C, Web Application Manifest, "Safe zone"); so does Apple's rounding.
const icons = [
  { name: 'icon-192.png', size: 192, markup: svg, share: 1, back: 'transparent' },
  { name: 'icon-512.png', size: 512, markup: svg, share: 1, back: 'transparent' },
  { name: 'icon-maskable-512.png', size: 512, markup: inner, share: 0.8, back: ground },
  { name: 'apple-touch-icon.png', size: 180, markup: inner, share: 0.9, back: ground },
];

const work = mkdtempSync(path.join(tmpdir(), 'icons-'));
try {
  for (const { name, size, markup, share, back } of icons) {
    const page = path.join(work, 'icon.html');
    writeFileSync(page, `<style>html,body{margin:0;height:100%;background:${back};overflow:hidden}svg{position:fixed;inset:${(1 - share) * 50}%;width:${share * 100}%;height:${share * 100}%}</style>${markup}`);
    execFileSync(process.env.CHROME_PATH ?? '/usr/bin/chromium', [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--force-device-scale-factor=1', '--default-background-color=00000000', `--user-data-dir=${work}/profile`,
      `--window-size=${size},${size}`, `--screenshot=${path.join(folder, name)}`, `file://${page}`,
    ], { stdio: 'ignore', timeout: 120_000 });
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
