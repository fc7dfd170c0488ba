import { sessionEnded } from './client';
import { Problem } from './problem';
import type { SchemaDocumentView } from './schema';

/**
 * Sends a file and does not wait until it is indexed. `fetch` does not tell how much of a body has left, so this is the one request that is made the old way.
 * @param onSent bytes that have left so far
 */
export function uploadDocument(file: File, onSent: (bytes: number) => void, signal: AbortSignal, query: Readonly<Record<string, string>>): Promise<SchemaDocumentView> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => { request.abort(); };
    const settle = async () => {
      signal.removeEventListener('abort', abort);
      if (request.status === 401) sessionEnded();
      const response = new Response(request.responseText, { status: request.status, headers: { 'retry-after': request.getResponseHeader('retry-after') ?? '' } });
      if (!response.ok) throw await Problem.of(response);
      return await response.json() as SchemaDocumentView;
    };
    request.open('POST', `/api/v1/documents?${new URLSearchParams({ ...query, name: file.name }).toString()}`);
    request.setRequestHeader('X-RootMas-Csrf', '1');
    request.setRequestHeader('Prefer', 'wait=0');
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.onprogress = (event) => { onSent(event.loaded); };
    request.onload = () => { settle().then(resolve, reject); };
    request.onerror = () => { reject(Problem.unreachable('')); };
    request.onabort = () => { reject(new DOMException('Aborted', 'AbortError')); };
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    else request.send(file);
  });
}
