// Sign-in, an empty chat and one with an answer as Lighthouse sees them; ./rootmas test --long runs it (LighthouseTests). By hand, before a server that runs somewhere:
//   npm ci && ROOTMAS_PASSWORD=… node lighthouse.mjs http://127.0.0.1:8000 NAME
// Prints the scores as a table, and every audit that lowers accessibility or best practices; fails where one of these two is below 95.
import lighthouse from 'lighthouse';
import { launch } from 'chrome-launcher';

const [server = 'http://127.0.0.1:8000', name] = process.argv.slice(2);
const least = 95;
const categories = ['accessibility', 'best-practices', 'performance'];
const chrome = await launch({ chromePath: process.env.CHROME_PATH ?? '/usr/bin/chromium', chromeFlags: ['--headless=new', '--no-sandbox', '--disable-gpu'] });

async function cookie() {
  const answer = await fetch(`${server}/api/v1/auth/login`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-rootmas-csrf': '1' }, body: JSON.stringify({ username: name, password: process.env.ROOTMAS_PASSWORD }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.headers.getSetCookie().map((c) => c.split(';')[0]).join('; ');
}

/** A conversation with a question and its answer; gives its page. */
async function talk(session) {
  const answer = await fetch(`${server}/api/v1/chat`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-rootmas-csrf': '1', cookie: session }, body: JSON.stringify({ message: 'What is 17 * 23?' }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return `/c/${(await answer.json()).conversation_id}`;
}

async function look(page, formFactor, extraHeaders, path = '/') {
  const desktop = formFactor === 'desktop';
  const { lhr } = await lighthouse(server + path, {
    port: chrome.port, output: 'json', logLevel: 'error', onlyCategories: categories, formFactor, extraHeaders,
    screenEmulation: desktop ? { mobile: false, width: 1350, height: 940, deviceScaleFactor: 1 } : undefined,
    throttling: desktop ? { rttMs: 40, throughputKbps: 10_240, cpuSlowdownMultiplier: 1 } : undefined,
  });
  const scores = categories.map((id) => Math.round(lhr.categories[id].score * 100));
  console.log(`| ${page} | ${desktop ? 'desktop' : 'phone'} | ${scores.join(' | ')} | ${lhr.audits['first-contentful-paint'].displayValue} | ${lhr.audits['total-blocking-time'].displayValue} | ${lhr.audits['cumulative-layout-shift'].displayValue} |`);
  if (scores.slice(0, 2).some((score) => score < least)) process.exitCode = 1;
  for (const id of ['accessibility', 'best-practices']) {
    for (const { id: audit, weight } of lhr.categories[id].auditRefs) {
      const found = lhr.audits[audit];
      if (weight > 0 && found.score !== null && found.score < 1) console.error(`${page}: ${found.title}\n${JSON.stringify(found.details?.items?.slice(0, 5), null, 1)}`);
    }
  }
}

console.log('| page | as | accessibility | best practices | performance | first paint | blocked | layout shift |\n|---|---|---|---|---|---|---|---|');
try {
  for (const formFactor of ['desktop', 'mobile']) await look('sign-in', formFactor, {});
  if (name) {
    const session = await cookie();
    for (const formFactor of ['desktop', 'mobile']) await look('chat', formFactor, { cookie: session });
    const conversation = await talk(session);
    for (const formFactor of ['desktop', 'mobile']) await look('chat with an answer', formFactor, { cookie: session }, conversation);
  }
} finally {
  await chrome.kill();
}
