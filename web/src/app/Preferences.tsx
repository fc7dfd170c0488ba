import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isChosen, languages, setLanguage, type Language } from '../i18n';
import { setTheme, useTheme, type Theme } from './theme';
import { Select } from '../ui/Field';
import styles from './Preferences.module.css';

const names: Record<Language, string> = { en: 'English', ru: 'Русский' };

export function LanguageAndTheme() {
  const { t, i18n } = useTranslation();
  const theme = useTheme();
  const [isMissing, setMissing] = useState(false);
  const speak = (language: Language) => {
    setMissing(false);
    setLanguage(language).catch(() => { setMissing(isChosen(language)); });
  };
  return (
    <div className={styles.row}>
      <Select label={t('preferences.language')} hideLabel value={i18n.language} onChange={(e) => { speak(e.target.value as Language); }} errors={isMissing ? [t('preferences.languageMissing')] : undefined} options={languages.map((l) => ({ value: l, label: names[l] }))} />
      <Select label={t('preferences.theme')} hideLabel value={theme} onChange={(e) => { setTheme(e.target.value as Theme); }} options={(['system', 'light', 'dark'] as const).map((value) => ({ value, label: t(`preferences.themes.${value}`) }))} />
    </div>
  );
}
