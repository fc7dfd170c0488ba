import { Fragment } from 'react';
import { useTranslation } from 'react-i18next';
import { saidPieces } from '../api/said';

/** A sentence of the server in the language of the page; what is not known stands in the server's own words, marked as English. */
export function Said({ text }: { text: string }) {
  const { t } = useTranslation();
  return saidPieces(t, text).map((piece, i) => <Fragment key={i}>{i > 0 ? ' ' : ''}{piece.known ? piece.text : <span lang="en">{piece.text}</span>}</Fragment>);
}
