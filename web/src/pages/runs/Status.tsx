import { CircleAlert, CircleCheck, CircleDashed, CirclePause, CircleSlash, LoaderCircle } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Badge } from '../../ui/Layout';
import { statuses, type Status } from './data';

const looks = {
  queued: ['neutral', CircleDashed], running: ['info', LoaderCircle], waiting_approval: ['warning', CirclePause], waiting_input: ['warning', CirclePause], waiting_children: ['info', LoaderCircle], waiting_timer: ['info', CirclePause],
  needs_review: ['warning', CirclePause], completed: ['success', CircleCheck], failed: ['danger', CircleAlert], cancelled: ['neutral', CircleSlash],
} as const satisfies Record<Status, readonly unknown[]>;

/** In words and with a sign, never by colour alone. */
export function StatusBadge({ status }: { status: string }) {
  const { t } = useTranslation();
  const known = statuses.find((s) => s === status);
  if (!known) return <Badge>{status}</Badge>;
  const [tone, Icon] = looks[known];
  return <Badge tone={tone}><Icon size={13} aria-hidden />{t(`runs.status.${known}`)}</Badge>;
}
