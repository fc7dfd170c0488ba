import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['src/api/schema.d.ts'] },
  ...tseslint.configs.strict,
  hooks.configs.flat['recommended-latest'],
  {
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'error',
      'no-restricted-properties': ['error', { object: 'window', property: 'localStorage', message: 'Use app/storage: nothing secret and nothing of another user may be kept.' }],
      'no-restricted-globals': ['error', { name: 'localStorage', message: 'Use app/storage.' }],
      'no-restricted-syntax': ['error', { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'Model output is hostile.' }],
    },
  },
);
