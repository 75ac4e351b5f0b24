import { testPages } from './run-page.ts';

testPages('tutorials', {
  'first-secret.md': {},
  'first-secret-on-aws.md': { aws: 'dynalite' },
  'first-deployment.md': {},
});
