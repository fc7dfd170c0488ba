// A PostgreSQL with pgvector, in memory, on a free port of the loopback address. Says where it listens, and ends with its input.
import { createServer } from 'node:net';
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

const freePort = () => new Promise((resolve, reject) => {
  const probe = createServer();
  probe.once('error', reject);
  probe.listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

const db = await PGlite.create({ extensions: { vector } });
const start = async () => {
  const port = await freePort();
  try {
    await new PGLiteSocketServer({ db, host: '127.0.0.1', port, maxConnections: 8 }).start();
    return port;
  } catch (error) {
    if (error.code !== 'EADDRINUSE') throw error;
    return start(); // somebody else was faster
  }
};
console.log(await start());
process.stdin.on('end', () => process.exit(0)).resume();
