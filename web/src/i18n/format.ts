import { useTranslation } from 'react-i18next';

/** Dates, numbers and money in the language of the page. */
export function useFormat() {
  const { i18n } = useTranslation();
  return formats(i18n.language);
}

const made = new Map<string, ReturnType<typeof make>>();

export function formats(language: string) {
  let found = made.get(language);
  if (!found) {
    found = make(language);
    made.set(language, found);
  }
  return found;
}

/** Seconds, and how many of it are the next larger one. */
const steps: readonly (readonly [Intl.RelativeTimeFormatUnit, number, number])[] = [['minute', 60, 60], ['hour', 3_600, 24], ['day', 86_400, 7], ['week', 604_800, 5], ['month', 2_592_000, 12], ['year', 31_536_000, Infinity]];

function make(language: string) {
  const number = new Intl.NumberFormat(language);
  const compact = new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 });
  const day = new Intl.DateTimeFormat(language, { dateStyle: 'medium' });
  const moment = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
  const exact = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' });
  const dayInUtc = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: 'UTC' });
  const dayOfYear = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short', timeZone: 'UTC' });
  const dayShort = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short' });
  const clock = new Intl.DateTimeFormat(language, { timeStyle: 'short' });
  const dollars = (digits: Intl.NumberFormatOptions) => new Intl.NumberFormat(language, { style: 'currency', currency: 'USD', ...digits });
  // Always in numbers: "yesterday" is a day of the calendar, and these are hours counted back from now.
  const relative = new Intl.RelativeTimeFormat(language);
  const now = new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(0, 'second');
  const price = dollars({ maximumFractionDigits: 6 });
  const unit = (name: string, digits: number) => new Intl.NumberFormat(language, { style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: digits });
  const [ms, s, min, h] = [unit('millisecond', 0), unit('second', 1), unit('minute', 0), unit('hour', 1)];
  return {
    number: (value: number) => number.format(value),
    compact: (value: number) => compact.format(value),
    /** A whole number in short, with what words after it go by: from a thousand on that is the name of the unit, in Russian too ("1,2 тыс. токенов", not "токен" as for 1,201). */
    counted: (value: number) => ({ formatted: compact.format(value), count: Math.abs(value) < 1_000 ? value : 1_000 }),
    percent: (share: number) => percent.format(share),
    day: (time: string | Date) => day.format(new Date(time)),
    moment: (time: string | Date) => moment.format(new Date(time)),
    exact: (time: string | Date) => exact.format(new Date(time)),
    /** Of a day of the calendar, which is the same wherever one looks from. */
    dayInUtc: (time: string | Date) => dayInUtc.format(new Date(time)),
    /** Of days that were counted in UTC. */
    dayOfYear: (time: string | Date) => dayOfYear.format(new Date(time)),
    /** Of the day where one is. */
    dayShort: (time: string | Date) => dayShort.format(new Date(time)),
    clock: (time: string | Date) => clock.format(new Date(time)),
    /** "3 minutes ago"; under a minute: "now". */
    ago(time: string | Date, from: number = Date.now()) {
      const seconds = (new Date(time).getTime() - from) / 1000;
      if (Math.abs(seconds) < 60) return now;
      // As it is said: what is rounded to 60 minutes is an hour.
      const [unit, size] = steps.find(([, of, most]) => Math.round(Math.abs(seconds) / of) < most) ?? ['year', 31_536_000];
      return relative.format(Math.sign(seconds) * Math.round(Math.abs(seconds) / size), unit);
    },
    duration(milliseconds: number) {
      if (milliseconds < 1_000) return ms.format(milliseconds);
      // As it is said: what is rounded to 60 seconds is a minute.
      if (milliseconds < 59_950) return s.format(milliseconds / 1_000);
      const seconds = Math.round(milliseconds / 1_000);
      if (seconds >= 3_600) return h.format(milliseconds / 3_600_000);
      const rest = seconds % 60;
      return min.format((seconds - rest) / 60) + (rest > 0 ? ` ${s.format(rest)}` : '');
    },
    /** Money comes as a decimal text of dollars and stays one as long as possible: small amounts keep two significant digits. `step`: what lies between it and the next one of an axis. */
    money(usd: string | number, step?: number) {
      const value = Number(usd);
      if (step) {
        const digits = Math.max(2, Math.ceil(-Math.log10(step) - 1e-9));
        return dollars({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
      }
      const small = value !== 0 && Math.abs(value) < 0.01;
      return dollars(small ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 2 }).format(value);
    },
    /** What somebody has set, to the last digit: a price, a limit. */
    price: (usd: string | number) => price.format(Number(usd)),
    /** The short name of a byte has no plural. */
    bytes(count: number) {
      const names = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
      const power = Math.min(names.length - 1, count < 1 ? 0 : Math.floor(Math.log10(count) / 3));
      return new Intl.NumberFormat(language, { style: 'unit', unit: names[power] ?? 'byte', unitDisplay: power === 0 ? 'long' : 'short', maximumFractionDigits: power === 0 ? 0 : 1 }).format(count / 1000 ** power);
    },
  };
}
