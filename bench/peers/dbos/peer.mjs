// DBOS: a workflow whose steps each ask the model once; every step's result is a row in PostgreSQL.
import { DBOS } from '@dbos-inc/dbos-sdk';
import { serve, simUrl } from '../common.mjs';

DBOS.setConfig({ name: 'bench', systemDatabaseUrl: process.env.PG_URL, logLevel: 'error', runAdminServer: false });
const ask = async () => {
  const response = await fetch(`${simUrl}/v1/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'sim-standard', messages: [{ role: 'user', content: 'hello' }] }),
  });
  return (await response.json()).choices[0].message.content;
};
const steps = DBOS.registerWorkflow(async () => {
  let last;
  for (let i = 0; i < 5; i++) last = await DBOS.runStep(ask, { name: `step ${i}` });
  return last;
}, { name: 'steps' });
await DBOS.launch();

await serve({ steps });
