import { useEffect, useState } from 'react';

/** Who still types is not searched for. */
const settles = 300;

/** The value as it was when it had not changed for a moment; nothing is nothing at once. */
export function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => { setSettled(value); }, value === '' ? 0 : settles); // what is typed anew has nothing to do with what was there before
    return () => { clearTimeout(timer); };
  }, [value]);
  return value === '' ? '' : settled;
}
