import { useTranslation } from 'react-i18next';
import { useFormat } from '../../i18n/format';
import { ReadNotice } from '../../ui/Notice';
import { useFigures } from './data';
import { Tiles, TilesToCome } from './Tiles';

/** The installation now. */
export function Figures() {
  const { t } = useTranslation();
  const format = useFormat();
  const figures = useFigures();
  if (figures.isPending) {
    const [calls, cost, memory] = [t('dashboard.modelCalls'), t('dashboard.cost'), t('dashboard.memory')];
    const names = [t('dashboard.agentsAtWork'), t('dashboard.running'), t('dashboard.queued'), t('dashboard.stuck'), t('dashboard.approvals'), t('dashboard.messages'), calls, cost, t('dashboard.uptime'), memory];
    return <TilesToCome names={names} noted={[calls, cost, memory]} />;
  }
  if (figures.isLoadingError) return <ReadNotice of={figures} />;
  const f = figures.data;
  const values: Readonly<Record<string, unknown>> = f.values;
  const value = (name: string): number | null => {
    const found = values[name];
    return typeof found === 'number' ? found : null;
  };
  const count = (name: string, label: string, note?: string) => {
    const found = value(name);
    return found === null ? null : { name: label, value: format.number(found), note };
  };
  const age = value('queue_oldest_seconds');
  const [calls, failures] = [value('model_calls') ?? 0, value('model_failures') ?? 0];
  return (
    <>
      <ReadNotice of={figures} />
      <Tiles tiles={[
        { name: t('dashboard.agentsAtWork'), value: format.number(f.active_agents) },
        count('runs_running', t('dashboard.running')),
        count('queue_length', t('dashboard.queued'), age !== null && age > 0 ? t('dashboard.oldest', { time: format.duration(age * 1000) }) : undefined),
        count('runs_stuck', t('dashboard.stuck')),
        count('approvals_pending', t('dashboard.approvals')),
        { name: t('dashboard.messages'), value: format.compact(f.total_messages) },
        { name: t('dashboard.modelCalls'), value: format.compact(calls), note: calls > 0 ? t('dashboard.failedShare', { share: format.percent(failures / calls) }) : t('dashboard.today') },
        value('cost_usd') === null ? null : { name: t('dashboard.cost'), value: format.money(value('cost_usd') ?? 0), note: t('dashboard.today') },
        { name: t('dashboard.uptime'), value: format.duration(f.uptime * 1000) },
        { name: t('dashboard.memory'), value: format.bytes(f.memory_usage), note: t('dashboard.cpu', { share: format.percent(f.cpu_usage / 100) }) },
      ]}
      />
    </>
  );
}
