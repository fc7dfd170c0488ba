import { Check } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { Table } from '../../ui/Table';
import { permissions, roleMay, roles, type Role } from './roles';
import { Section } from './Section';

export default function RolesSection() {
  const { t } = useTranslation();
  const mark = (role: Role, permission: string) => roleMay(role, permission)
    ? <><Check size={16} aria-hidden /><span className="sr-only">{t('admin.roles.may')}</span></>
    : <><span aria-hidden>–</span><span className="sr-only">{t('admin.roles.mayNot')}</span></>;
  return (
    <Section title={t('admin.section.roles')} intro={t('admin.roles.intro')}>
      <Table<string>
        caption={t('admin.roles.caption')} rows={permissions} rowKey={(p) => p}
        columns={[
          { key: 'permission', header: t('admin.roles.permission'), cell: (p) => <code>{p}</code> },
          ...roles.map((role) => ({ key: role, header: t(`admin.role.${role}`), cell: (p: string) => mark(role, p) })),
        ]}
      />
    </Section>
  );
}
