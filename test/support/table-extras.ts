import type { Answer, Meddle } from './recorder.ts';

/** What DynamoDB keeps of a table besides its items, and neither dynalite nor DynamoDB Local has all of. */
export interface TableExtras {
  /** Tables with point-in-time recovery. */
  readonly recoverable: Set<string>;
  /** Tables that are protected from deletion. */
  readonly protected: Set<string>;
  /** How many UpdateContinuousBackups come too early yet, as for a table that is new. */
  tooEarly: number;
  /** How many UpdateTable meet another one yet. */
  busy: number;
  readonly meddle: Meddle;
}

interface Sent {
  readonly TableName: string;
  readonly DeletionProtectionEnabled?: boolean;
  readonly PointInTimeRecoverySpecification?: { readonly PointInTimeRecoveryEnabled: boolean };
}

function error(code: string): Answer {
  return { status: 400, body: JSON.stringify({ __type: code, message: '' }) };
}

/**
 * Answers what the service behind a recorder does not know, as the API reference has it:
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html and
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
 */
export function tableExtras(): TableExtras {
  const backups = (table: string): Answer => ({
    status: 200,
    body: JSON.stringify({
      ContinuousBackupsDescription: {
        ContinuousBackupsStatus: 'ENABLED',
        PointInTimeRecoveryDescription: {
          PointInTimeRecoveryStatus: extras.recoverable.has(table) ? 'ENABLED' : 'DISABLED',
        },
      },
    }),
  });
  const extras: TableExtras = {
    recoverable: new Set(),
    protected: new Set(),
    tooEarly: 0,
    busy: 0,
    meddle: async (action, answer, sent) => {
      const asked = (sent === '' ? {} : JSON.parse(sent)) as Sent;
      const table = asked.TableName;
      switch (action) {
        case 'DynamoDB.DescribeContinuousBackups':
          return backups(table);
        case 'DynamoDB.UpdateContinuousBackups':
          if (extras.tooEarly-- > 0) return error('ContinuousBackupsUnavailableException');
          if (asked.PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled)
            extras.recoverable.add(table);
          return backups(table);
        case 'DynamoDB.CreateTable': {
          const answered = await answer();
          if (answered.status === 200 && asked.DeletionProtectionEnabled)
            extras.protected.add(table);
          return answered;
        }
        case 'DynamoDB.UpdateTable': {
          if (extras.busy-- > 0) return error('ResourceInUseException');
          if (asked.DeletionProtectionEnabled) extras.protected.add(table);
          return { status: 200, body: '{"TableDescription":{}}' };
        }
        case 'DynamoDB.DescribeTable': {
          const answered = await answer();
          if (answered.status !== 200) return answered;
          const { Table } = JSON.parse(answered.body) as { Table: object };
          const DeletionProtectionEnabled = extras.protected.has(table);
          const body = JSON.stringify({ Table: { ...Table, DeletionProtectionEnabled } });
          return { ...answered, body };
        }
        default:
          return undefined;
      }
    },
  };
  return extras;
}
