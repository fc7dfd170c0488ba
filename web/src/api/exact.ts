import { newId } from '../app/ids';

/** A number that a double would round: it stands for itself, as it was written. */
export class ExactNumber {
  constructor(readonly text: string) {}

  /** Wherever it is written as JSON by others, as the text that it is: a rounded number would be wrong. */
  toJSON(): string {
    return this.text;
  }
}

/** Only texts with so many digits, or such an exponent, can have a number that is rounded; most have none. */
const maybe = /\d[\d.]{15}|\d[eE]/;
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** `JSON.parse` that rounds no number. */
export function parseExact(text: string): unknown {
  if (!maybe.test(text)) return JSON.parse(text);
  JSON.parse(text); // what is no JSON is refused before anything is put into it
  const mark = `${newId()}:`;
  let found = false;
  const marked = text.replace(tokens, (token) => {
    if (token.startsWith('"') || isHeld(token)) return token;
    found = true;
    return `"${mark}${token}"`;
  });
  if (!found) return JSON.parse(text);
  return JSON.parse(marked, (_, value: unknown) => typeof value === 'string' && value.startsWith(mark) ? new ExactNumber(value.slice(mark.length)) : value);
}

/** Whether the double that is nearest is written with the same digits. */
function isHeld(token: string): boolean {
  const value = Number(token);
  return Number.isFinite(value) && decimal(token) === decimal(String(value));
}

/** Sign, digits and place of the point: one text for each value. */
function decimal(token: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const all = (whole + fraction).replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return '0';
  return `${sign}${digits}@${BigInt(exponent.replace('+', '')) - BigInt(fraction.length) + BigInt(all.length - digits.length)}`;
}

/** What cannot be seen, or moves what can: marks of direction, joiners, blanks that look like others, control characters. */
const hidden = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;

const quoted = (text: string): string => JSON.stringify(text).replace(hidden, (c) => c === ' ' ? c : Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''));

/** A stretch of printed JSON; what others wrote stands apart, so that its direction is its own. */
export interface Piece {
  text: string;
  foreign: boolean;
}

/** JSON to be read by people before they decide: numbers as they are, and every character that hides or moves others by its number. */
export function printExact(value: unknown): Piece[] {
  const pieces: Piece[] = [];
  let plain = '';
  const say = (text: string) => { plain += text; };
  const quote = (text: string) => {
    pieces.push({ text: plain, foreign: false }, { text: quoted(text), foreign: true });
    plain = '';
  };
  const list = (open: string, close: string, items: readonly (() => void)[], indent: string) => {
    if (items.length === 0) {
      say(open + close);
      return;
    }
    say(open);
    items.forEach((item, i) => {
      say(`${i > 0 ? ',' : ''}\n${indent}  `);
      item();
    });
    say(`\n${indent}${close}`);
  };
  const write = (it: unknown, indent: string): void => {
    if (it instanceof ExactNumber) say(it.text);
    else if (typeof it === 'string') quote(it);
    else if (Array.isArray(it)) list('[', ']', it.map((item: unknown) => () => { write(item, `${indent}  `); }), indent);
    else if (typeof it === 'object' && it !== null) list('{', '}', Object.entries(it).map(([name, member]) => () => {
      quote(name);
      say(': ');
      write(member, `${indent}  `);
    }), indent);
    else say(JSON.stringify(it));
  };
  write(value, '');
  pieces.push({ text: plain, foreign: false });
  return pieces.filter(({ text }) => text !== '');
}

/** The same in one line, for machines: nothing but numbers is written otherwise than `JSON.stringify` does. */
export function exactLine(value: unknown): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(exactLine).join(',')}]`;
  return typeof value === 'object' && value !== null ? `{${Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${exactLine(member)}`).join(',')}}` : JSON.stringify(value);
}

/** As it is printed for people. */
export function exactText(value: unknown): string {
  return printExact(value).map(({ text }) => text).join('');
}
