import { useId, type ComponentProps, type ReactNode } from 'react';
import styles from './Field.module.css';

interface FieldProps {
  label: string;
  hint?: ReactNode;
  /** What is wrong with it, from the server or from here. */
  errors?: readonly ReactNode[] | undefined;
  /** The name is there for assistive technology only. */
  hideLabel?: boolean;
}

interface Parts {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': true | undefined;
}

/** A labelled control with its hint and its errors, tied together for everybody. */
export function Field({ label, hint, errors, hideLabel = false, children }: FieldProps & { children: (parts: Parts) => ReactNode }) {
  const id = useId();
  const bad = errors !== undefined && errors.length > 0;
  const describedBy = [hint ? `${id}-hint` : '', bad ? `${id}-errors` : ''].filter(Boolean).join(' ');
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={hideLabel ? 'sr-only' : styles.label}>{label}</label>
      {children({ id, 'aria-describedby': describedBy || undefined, 'aria-invalid': bad || undefined })}
      {hint ? <div id={`${id}-hint`} className={styles.hint}>{hint}</div> : null}
      {bad ? <div id={`${id}-errors`} className={styles.errors} role="alert">{errors.map((e, i) => <div key={i}>{e}</div>)}</div> : null}
    </div>
  );
}

export function TextField({ label, hint, errors, hideLabel, ...rest }: FieldProps & ComponentProps<'input'>) {
  return (
    <Field label={label} {...(hint !== undefined && { hint })} errors={errors} {...(hideLabel !== undefined && { hideLabel })}>
      {(parts) => <input dir="auto" {...rest} {...parts} className={styles.control} />}
    </Field>
  );
}

export function TextArea({ label, hint, errors, hideLabel, ...rest }: FieldProps & ComponentProps<'textarea'>) {
  return (
    <Field label={label} {...(hint !== undefined && { hint })} errors={errors} {...(hideLabel !== undefined && { hideLabel })}>
      {(parts) => <textarea rows={4} dir="auto" {...rest} {...parts} className={styles.control} />}
    </Field>
  );
}

export function Select({ label, hint, errors, hideLabel, options, ...rest }: FieldProps & ComponentProps<'select'> & { options: readonly { value: string; label: string }[] }) {
  return (
    <Field label={label} {...(hint !== undefined && { hint })} errors={errors} {...(hideLabel !== undefined && { hideLabel })}>
      {(parts) => (
        <select {...rest} {...parts} className={styles.control}>
          {options.map((o) => <option key={o.value} value={o.value}>{o.label}</option>)}
        </select>
      )}
    </Field>
  );
}

export function Checkbox({ label, hint, ...rest }: { label: string; hint?: string } & Omit<ComponentProps<'input'>, 'type'>) {
  const id = useId();
  return (
    <div className={styles.check}>
      <input {...rest} type="checkbox" id={id} aria-describedby={hint ? `${id}-hint` : undefined} />
      <div>
        <label htmlFor={id}>{label}</label>
        {hint ? <div id={`${id}-hint`} className={styles.hint}>{hint}</div> : null}
      </div>
    </div>
  );
}
