import { expect, it } from 'vitest';
import { exactLine, exactText, ExactNumber, parseExact } from './exact';

it('keeps every number as it was written that a double would round', () => {
  for (const number of ['9007199254740993', '-1234567890123456789', '0.12345678901234567890', '1e400', '1e-400', '123456789012345678901234567890e5']) {
    expect(parseExact(`{"a":[${number}]}`)).toEqual({ a: [new ExactNumber(number)] });
    expect(exactText(parseExact(`[${number}]`))).toBe(`[\n  ${number}\n]`);
  }
});

it('reads everything else as JSON.parse does', () => {
  for (const text of ['{"a":1,"b":[true,null,"9007199254740993 \\" 9007199254740993","\\\\"],"c":{}}', '[9007199254740992,1e2,1.50,0.1,-0,1e21,0e99,100000000000000000000,123456789012345.25]', '"1234567890123456789"', '[]', '12345678901234567000'])
    expect(parseExact(text)).toEqual(JSON.parse(text));
  expect(() => parseExact('{"a":9007199254740993')).toThrow(SyntaxError);
  expect(() => parseExact('9007199254740993 "x')).toThrow(SyntaxError);
});

it('reads long texts in which a string is never closed, or is full of escapes, without an end in sight', () => {
  expect(() => parseExact(`[1234567890123456789,"${'\\"'.repeat(200_000)}`)).toThrow(SyntaxError);
  const text = '\\"1234567890123456789'.repeat(20_000);
  expect(parseExact(`["${text}",9007199254740993]`)).toEqual([JSON.parse(`"${text}"`), new ExactNumber('9007199254740993')]);
});

it('lets nobody pass a text off as a number', () => {
  expect(exactText(parseExact('["1234567890123456789",{"text":"1234567890123456789"},1234567890123456789]'))).toBe('[\n  "1234567890123456789",\n  {\n    "text": "1234567890123456789"\n  },\n  1234567890123456789\n]');
});

it('writes characters that hide or move others by their numbers, in names too', () => {
  const value = { 'a\u202Eb': 'x\u2066y\u2069\u200B\u00AD\u00A0\u2028\uFEFF\u3164\u0085', ok: 'Привет, мир – 你好 שלום', tag: '\u{E0041}', line: 'a\nb' };
  expect(exactText(value)).toBe('{\n  "a\\u202eb": "x\\u2066y\\u2069\\u200b\\u00ad\\u00a0\\u2028\\ufeff\\u3164\\u0085",\n  "ok": "Привет, мир – 你好 שלום",\n  "tag": "\\udb40\\udc41",\n  "line": "a\\nb"\n}');
  expect(JSON.parse(exactText(value))).toEqual(value);
  expect(exactText({})).toBe('{}');
});

it('gives machines the JSON that it was', () => {
  for (const text of ['{"a":[9007199254740993,"‮\\n",null,true,1.5],"b":{},"c":[]}', '"x"', '12345678901234567890']) expect(exactLine(parseExact(text))).toBe(text);
});
