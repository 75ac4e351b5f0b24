import { CommanderError } from 'commander';
import { checkUtf8 } from './argparse.ts';
import type { Command } from './command.ts';
import { COMMANDS, type Output } from './commands/index.ts';
import { createProgram, optionsOf } from './create-program.ts';
import type { Log } from './files/log-file.ts';
import { findRuntimeDanger } from './options/runtime.ts';
import type { GlobalOptions } from './options/global.ts';
import { openLog, report } from './report.ts';
import { Io } from './terminal/io.ts';

/**
 * Runs one command line.
 *
 * @param argv the arguments, without the interpreter and the script
 * @returns the exit status
 */
export async function main(argv: readonly string[], io = new Io()): Promise<number> {
  let log: Log | undefined;
  let debug: boolean | undefined;
  const tell = (error: unknown): number => report(error, argv, io, { log, debug });
  const output: Output = { version: '', helpOf: undefined, status: 0, report: tell };
  let giveUp: (error: unknown) => void = () => undefined;
  const overdue = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  try {
    checkUtf8(argv);
    const program = await createProgram(io, output, argv);
    program.hook('preAction', async (_, command) => {
      // Loaded with the command: help and the version do without.
      const { forgetConfig } = await import('./options/config-file.ts');
      forgetConfig();
      const { logFile, logLevel, quiet, timeout }: GlobalOptions = optionsOf(command);
      io.status.quiet = quiet ?? false;
      // Completion has a limit of its own, and tells nobody what is wrong.
      const limited = timeout !== undefined || Boolean(process.env['CREDSTASH_TIMEOUT']);
      if (command.name() !== '__complete' && limited) {
        const { Deadline, findTimeLimit } = await import('./options/deadline.ts');
        const limit = findTimeLimit(timeout);
        const table = (await COMMANDS[command.name()]?.())?.command;
        if (limit) io.deadline = new Deadline(limit, hintOfTimeout(table));
        io.deadline?.passed.catch(giveUp);
      }
      debug = logLevel === 'debug';
      // doctor tells it as one of its checks.
      const danger = command.name() === 'doctor' ? undefined : findRuntimeDanger();
      if (danger) throw danger;
      if (logFile !== undefined) log = await openLog(logFile, logLevel);
    });
    await Promise.race([program.parseAsync(argv, { from: 'user' }), overdue]);
    return output.status;
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      // Loaded only where it can help.
      const advised = argv.includes('--local')
        ? (await import('./advice/line.ts')).adviseOnLine(error, argv)
        : error;
      return tell(advised);
    }
    // commander ends the parsing with an error for help and the version too. No command at all gets help, as in the original.
    const { version, helpOf } = output;
    if (version !== '') {
      await io.write(version);
      return 0;
    }
    if (helpOf !== undefined) {
      const { findPage, pageOptions } = await import('./help/index.ts');
      await io.write(await findPage(helpOf || undefined, pageOptions(io)));
      return 0;
    }
    const { toUsageError } = await import('./advice/usage-error.ts');
    return tell(await toUsageError(error, argv));
  } finally {
    io.status.erase();
    io.deadline?.stop();
  }
}

/** What became of the work of a command whose time is over. */
function hintOfTimeout(command: Command | undefined): string {
  if (command?.runsAnother) return 'COMMAND was not run; --timeout gives more time';
  if (command?.isResumable) return '--timeout gives more time';
  if (command?.isReader) {
    return '--timeout gives more time; credstash doctor looks for the cause';
  }
  return 'what was done before stays done, and what was under way may be done too: credstash list shows it';
}
