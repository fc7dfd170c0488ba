import { useTranslation } from 'react-i18next';
import { purpose, useNoteText } from '../../chat/Activity';
import type { Span } from './spans';

const waits = ['approval', 'question', 'review', 'timer'] as const;

/** What a span is called. */
export function useSpanText(): (span: Span) => string {
  const { t } = useTranslation();
  const note = useNoteText();
  return (span) => {
    switch (span.kind) {
      case 'run': return span.task ? t('runs.childName', { agent: span.agent, task: span.task }) : span.agent;
      case 'model': return t(`activity.purpose.${purpose(span.what)}`);
      case 'tool': return span.what;
      case 'wait': return [t(`runs.wait.${waits.find((w) => w === span.what) ?? 'timer'}`), span.task].filter(Boolean).join(' ');
      case 'note': return span.what === 'plan.created' || span.what === 'plan.updated' ? t(span.what === 'plan.created' ? 'runs.planned' : 'runs.planReviewed') : note(span.event);
    }
  };
}
