import { useEffect, useId, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Table } from '../Table';
import { everyNth, linePath, maxOf, round, stack, ticks, type Series } from './scale';
import styles from './Chart.module.css';

export interface Clock {
  time: string;
  day: string;
}

export interface ChartProps {
  title: string;
  kind: 'bars' | 'lines';
  series: readonly Series[];
  /** What each series is called; its colour is that of its place. */
  nameOf: (key: string | null) => string;
  /** One for each bucket. */
  labels: readonly string[];
  /** Shorter ones for the axis, of buckets within a day: the day stands below the first of each that is shown. */
  clock?: readonly Clock[] | undefined;
  /** `step`: of an axis, whose values must not become equal by rounding. */
  format: (value: number, step?: number) => string;
  /** Values that are counted have no halves. */
  whole?: boolean;
}

const [height, top] = [220, 10];

/** No agent ('') and all others (null) are two. */
const keyOf = ({ key }: { key: string | null }) => key === null ? 'rest' : `k${key}`;

/** The one chart: bars upon each other or lines over time. The picture is for the eye; the same as a table is a click away, and is what screen readers get. */
export function Chart({ title, kind, series, nameOf, labels, clock, format, whole = false }: ChartProps) {
  const { t } = useTranslation();
  const id = useId();
  const [frame, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const scale = useMemo(() => ticks(maxOf(series, kind === 'bars'), 4, whole), [series, kind, whole]);
  const highest = scale.at(-1) ?? 1;
  const marks = useMemo(() => scale.map((value) => ({ value, text: format(value, scale[1]) })), [scale, format]);
  const left = Math.max(64, 14 + 6.5 * Math.max(...marks.map((m) => m.text.length)));
  const bottom = clock ? 38 : 24;
  const inner = Math.max(10, width - left - 8);
  const step = inner / Math.max(1, labels.length);
  const x = (i: number) => left + (i + 0.5) * step;
  const y = (value: number) => top + (1 - value / highest) * (height - top - bottom);
  const shown = at !== null && at < labels.length ? at : null;
  return (
    <figure className={styles.chart} aria-labelledby={id}>
      <figcaption id={id} className="sr-only">{title}</figcaption>
      <Legend series={series} nameOf={nameOf} format={format} at={shown} label={shown === null ? null : labels[shown] ?? null} />
      <div ref={frame}>
        <svg
          width={width} height={height} className={styles.picture} aria-hidden
          onPointerMove={(e) => { setAt(Math.max(0, Math.min(labels.length - 1, Math.floor((e.nativeEvent.offsetX - left) / step)))); }} onPointerLeave={() => { setAt(null); }}
        >
          {marks.map(({ value, text }) => <g key={value}><line className={styles.grid} x1={left} x2={width - 8} y1={y(value)} y2={y(value)} /><text className={styles.tick} x={left - 8} y={y(value) + 4} textAnchor="end">{text}</text></g>)}
          {shown === null ? null : <rect className={styles.cursor} x={left + shown * step} y={top} width={step} height={height - top - bottom} />}
          {kind === 'bars' ? <Bars series={series} x={x} y={y} step={step} /> : series.map((s, i) => <path key={keyOf(s)} className={styles.line} data-series={colourOf(s, i)} d={linePath(s.values, x, y)} />)}
          <Axis labels={labels} clock={clock} x={x} y={height - bottom + 18} fit={Math.floor(inner / 72)} />
        </svg>
      </div>
      <details>
        <summary className={styles.summary}>{t('dashboard.asTable')}</summary>
        <ChartTable title={title} series={series} nameOf={nameOf} labels={labels} format={format} />
      </details>
    </figure>
  );
}

function Axis({ labels, clock, x, y, fit }: Pick<ChartProps, 'labels' | 'clock'> & { x: (i: number) => number; y: number; fit: number }) {
  const nth = everyNth(labels.length, fit);
  return labels.map((label, i) => {
    if (i % nth !== 0) return null;
    const [at, before] = [clock?.[i], clock?.[i - nth]];
    return <text key={i} className={styles.tick} x={x(i)} y={y} textAnchor="middle">{at?.time ?? label}{at && at.day !== before?.day ? <tspan x={x(i)} dy={14}>{at.day}</tspan> : null}</text>;
  });
}

/** Eight colours; all others together have the quiet one. */
function colourOf(series: Series, index: number): string {
  return series.key === null ? 'rest' : String(index % 8);
}

function Bars({ series, x, y, step }: { series: readonly Series[]; x: (i: number) => number; y: (value: number) => number; step: number }) {
  const width = Math.max(1, Math.min(40, step * 0.72));
  return stack(series).map((s, index) => (
    <g key={keyOf(s)} className={styles.bar} data-series={colourOf({ key: s.key, values: [] }, index)}>
      {s.ends.map(([low, high], i) => high > low ? <rect key={i} x={round(x(i) - width / 2)} width={round(width)} y={round(y(high))} height={round(Math.max(0.5, y(low) - y(high)))} /> : null)}
    </g>
  ));
}

function Legend({ series, nameOf, format, at, label }: Pick<ChartProps, 'series' | 'nameOf' | 'format'> & { at: number | null; label: string | null }) {
  return (
    <ul className={styles.legend}>
      {series.map((s, i) => {
        const value = at === null ? null : s.values[at] ?? null;
        return <li key={keyOf(s)}><span className={styles.swatch} data-series={colourOf(s, i)} aria-hidden />{nameOf(s.key)}{value === null ? null : <strong> {format(value)}</strong>}</li>;
      })}
      {label === null ? null : <li className={styles.moment}>{label}</li>}
    </ul>
  );
}

function ChartTable({ title, series, nameOf, labels, format }: Pick<ChartProps, 'title' | 'series' | 'nameOf' | 'labels' | 'format'>) {
  const { t } = useTranslation();
  const rows = labels.map((label, i) => ({ label, i })).filter(({ i }) => series.some((s) => s.values[i]));
  return (
    <Table
      caption={title} rows={rows} rowKey={(r) => String(r.i)} empty={<p>{t('dashboard.nothing')}</p>}
      columns={[{ key: 'when', header: t('dashboard.when'), cell: (r) => r.label }, ...series.map((s) => ({ key: keyOf(s), header: nameOf(s.key), numeric: true, cell: (r: { i: number }) => {
        const value = s.values[r.i] ?? null;
        return value === null ? '–' : format(value);
      } }))]}
    />
  );
}

/** As wide as there is room; text keeps its size. */
function useWidth(): [React.RefObject<HTMLDivElement | null>, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    if (!ref.current || typeof ResizeObserver === 'undefined') return undefined;
    const observer = new ResizeObserver(([entry]) => { if (entry) setWidth(Math.floor(entry.contentRect.width)); });
    observer.observe(ref.current);
    return () => { observer.disconnect(); };
  }, []);
  return [ref, width];
}
