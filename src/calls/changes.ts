import type { Secret } from '../model/entry.ts';
import * as operations from '../operations/index.ts';
import type {
  Change,
  CopyOptions,
  DeleteOptions,
  DeleteOutcome,
  FieldChange,
  MigrateOptions,
  PruneOptions,
  PutAllOptions,
  PutFieldOptions,
  PutOutcome,
  RewriteOptions,
  Stored,
} from '../operations/index.ts';
import type { Session } from '../session.ts';

/** A change that the instance's signal ends is a failure like others. */
const AS_FAILURE = { endsAsFailure: true };

/**
 * The operations of one session that have an outcome for each of many secrets, step by step: nothing happens before the first
 * step is asked for, and nothing more once the caller stops. The command line prints each outcome before the next one;
 * `Credstash` runs them to their end.
 */
export class Changes {
  readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** Changes fields of one secret. */
  async putField(name: string, change: FieldChange, options: PutFieldOptions): Promise<Stored> {
    return this.session.store(this.session.withSealDefaults(options), async (backend, limited) => {
      const { putField } = await import('../operations/put-field.ts');
      return putField(backend, name, change, limited);
    });
  }

  putAll(secrets: readonly Secret[], options: PutAllOptions): AsyncGenerator<PutOutcome> {
    return this.session.stream(this.session.withSealDefaults(options), (backend, limited) =>
      operations.putAll(backend, secrets, limited),
    );
  }

  delete(name: string, options: DeleteOptions): AsyncGenerator<DeleteOutcome> {
    return this.session.stream(options, (backend, limited) =>
      operations.deleteVersions(backend, name, limited),
    );
  }

  prune(options: PruneOptions): AsyncGenerator<Change> {
    return this.session.stream(
      options,
      async function* (backend, limited) {
        const { prune } = await import('../operations/prune.ts');
        yield* prune(backend, limited);
      },
      AS_FAILURE,
    );
  }

  rekey(options: RewriteOptions): AsyncGenerator<Change> {
    return this.session.stream(
      options,
      async function* (backend, limited) {
        const { rekey } = await import('../operations/rekey.ts');
        yield* rekey(backend, limited);
      },
      AS_FAILURE,
    );
  }

  migrate(options: MigrateOptions): AsyncGenerator<Change> {
    return this.session.stream(
      options,
      async function* (backend, limited) {
        const { migrate } = await import('../operations/migrate.ts');
        yield* migrate(backend, limited);
      },
      AS_FAILURE,
    );
  }

  padVersions(options: RewriteOptions): AsyncGenerator<Change> {
    return this.session.stream(
      options,
      async function* (backend, limited) {
        const { padVersions } = await import('../operations/pad-versions.ts');
        yield* padVersions(backend, limited);
      },
      AS_FAILURE,
    );
  }

  /** @param to of the other instance, which may be of the library's other form */
  copy(to: Pick<Session, 'backendFor'>, options: CopyOptions): AsyncGenerator<Change> {
    return this.session.stream(
      options,
      async function* (backend, limited) {
        const { copy } = await import('../operations/copy.ts');
        yield* copy(backend, to.backendFor({ signal: limited.signal }), limited);
      },
      AS_FAILURE,
    );
  }
}
