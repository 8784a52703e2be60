/** How a command fails: one error type, and what the process exits with. */

/** What the process exits with. Scripts count on these numbers; they do not change. */
export const Exit = {
  /** Done. */
  OK: 0,
  /** Failed in a way that none of the others says. */
  FAILED: 1,
  /** The command line, the environment or a file that it names cannot be used, or the server says so. */
  USAGE: 2,
  /** The server refuses this caller: no sign-in, a bad one, or a role that may not. */
  REFUSED: 3,
  /** What was named is not there. */
  NOT_FOUND: 4,
  /** It exists already, has changed in between, or is still in use. */
  CONFLICT: 5,
  /** The server cannot be reached, or cannot answer now; the same command may work later. */
  UNAVAILABLE: 6,
  /** `apply` would delete more than it may without `--yes`; nothing was changed. */
  UNCONFIRMED: 7,
  /** Something was made, or may have been, whose secret nobody has; the message names each. */
  SECRETS_LOST: 8,
  /** The holder of the token that `check` asks about may not do it. */
  NOT_ALLOWED: 9,
} as const;
export type Exit = (typeof Exit)[keyof typeof Exit];

/** A command that cannot go on; the message is for the person who ran it. */
export class CommandFailure extends Error {
  readonly exit: Exit;
  /** The server's stable reason, such as `VERSION_CONFLICT`; undefined where no server answered. */
  readonly reason: string | undefined;
  /** The id of a request of which no answer tells whether it was done; undefined: one does. */
  readonly undecidedRequest: string | undefined;

  constructor(
    exit: Exit,
    message: string,
    options: { cause?: unknown; reason?: string; undecidedRequest?: string } = {},
  ) {
    super(message, { cause: options.cause });
    this.exit = exit;
    this.reason = options.reason;
    this.undecidedRequest = options.undecidedRequest;
  }
}

/** The refusal of what the command line, the environment or a file says. */
export function unusable(message: string, cause?: unknown): CommandFailure {
  return new CommandFailure(Exit.USAGE, message, { cause });
}

/** The exit code that belongs to a gRPC code, as a google.rpc.Status holds it. */
export function exitOfCode(code: number): Exit {
  // INVALID_ARGUMENT and OUT_OF_RANGE; NOT_FOUND; ALREADY_EXISTS, FAILED_PRECONDITION and ABORTED;
  // PERMISSION_DENIED and UNAUTHENTICATED; DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and UNAVAILABLE.
  if ([3, 11].includes(code)) return Exit.USAGE;
  if (code === 5) return Exit.NOT_FOUND;
  if ([6, 9, 10].includes(code)) return Exit.CONFLICT;
  if ([7, 16].includes(code)) return Exit.REFUSED;
  return [4, 8, 14].includes(code) ? Exit.UNAVAILABLE : Exit.FAILED;
}
