/**
 * The commit that the command was built from: 40 hexadecimal digits, and `-dirty` if the sources had changes. undefined if it
 * was built without git, and in the sources, because rolldown.config.js replaces this file.
 */
export const COMMIT: string | undefined = undefined;
