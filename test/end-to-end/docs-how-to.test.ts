import { testPages } from './run-page.ts';

testPages('how-to', {
  'run-render-export.md': { standIns: ['docker', 'kubectl'] },
  'rotate-back-up-copy.md': { aws: 'DynamoDB Local', before: 'credstash setup --create-key' },
  'restrict-access.md': { standIns: ['aws'] },
  'regions.md': {
    aws: 'DynamoDB Local',
    before: 'credstash setup --create-key && credstash put app.db.password',
    standIns: ['aws'],
    notRun: {
      'credstash: warning: DynamoDB failed on the table credential-store in eu-west-1 (InternalServerError, HTTP 500), after retries':
        'what an outage prints; fallback.test.ts has one',
    },
  },
  // docs-ci.test.ts and docs-containers.test.ts run these, with what each service gives a job or a container.
  'ci.md': undefined,
  'containers.md': undefined,
  'migrate-from-credstash.md': { aws: 'dynalite', before: 'credstash setup --create-key' },
  'migrate-from-nodecredstash.md': { aws: 'dynalite', before: 'credstash setup --create-key' },
  // docs-library.test.ts runs its tests.
  'test-an-application.md': undefined,
  'troubleshoot.md': {
    aws: 'dynalite',
    before: 'credstash setup --create-key && credstash put app.db.password',
    notRun: {
      'ok       runtime        credstash 0.1.0 on Node.js 22.13.0, linux x64, commit 5d41402abc4b2a76b9719d911017c592ae4f1f2b':
        'an example of what it prints on AWS',
    },
  },
});
