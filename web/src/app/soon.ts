const hiddenDelay = 200;

/** Calls once, with the next frame; a page that nobody sees draws none, there it is a moment later. What is still to come when the page is shown or hidden comes at once. */
export function soon(run: () => void): void {
  const isHidden = document.visibilityState === 'hidden';
  const now = () => {
    document.removeEventListener('visibilitychange', now);
    if (isHidden) clearTimeout(handle);
    else cancelAnimationFrame(handle);
    run();
  };
  const handle = isHidden ? Number(setTimeout(now, hiddenDelay)) : requestAnimationFrame(now);
  document.addEventListener('visibilitychange', now);
}
