// The frame of every JavaScript peer: commands come as JSON lines on stdin, results go as JSON lines to stdout.
// A scenario is an async function that does one agent run and returns its answer's text.
import readline from 'node:readline';

export const simUrl = process.env.SIM_URL;
export const expected = { one: 'Simulated answer.', tool: 'The sum is 5.', handoff: 'Handed over five times.', fanout: 'Eight results.', steps: 'Simulated answer.', loop: 'Five steps done.' };

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];

async function measure(run, wanted, { runs, warmup, concurrency }) {
  const latencies = [];
  let errors = 0;
  let firstError = null;
  let left = 0;
  const worker = async (keep) => {
    while (left-- > 0) {
      const began = process.hrtime.bigint();
      try {
        const text = await run();
        if (text !== wanted) throw new Error(`unexpected answer: ${String(text).slice(0, 200)}`);
        if (keep) latencies.push(Number(process.hrtime.bigint() - began) / 1e6);
      } catch (e) {
        errors++;
        firstError ??= String(e?.stack ?? e).slice(0, 600);
      }
    }
  };
  const all = async (count, keep) => {
    left = count;
    await Promise.all(Array.from({ length: concurrency }, () => worker(keep)));
  };
  await all(warmup, false);
  errors = 0;
  const cpu = process.cpuUsage();
  const began = process.hrtime.bigint();
  await all(runs, true);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  return {
    count: latencies.length, errors, error: firstError,
    p50: quantile(latencies, 0.5), p90: quantile(latencies, 0.9), p99: quantile(latencies, 0.99), min: latencies[0],
    per_second: latencies.length / seconds, cpu_ms_per_run: (used.user + used.system) / 1000 / Math.max(1, latencies.length),
    rss_mb: process.memoryUsage().rss / 1048576,
  };
}

export async function serve(scenarios) {
  console.log(JSON.stringify({ ready: true, scenarios: Object.keys(scenarios), node: process.version }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    const run = scenarios[command.scenario];
    if (!run) {
      console.log(JSON.stringify({ unsupported: true }));
      continue;
    }
    console.log(JSON.stringify(await measure(run, expected[command.scenario], command)));
  }
  process.exit(0);
}
