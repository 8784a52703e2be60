/** The length of the windows that every limit is kept in, in milliseconds. */
export const WINDOW_MS = 60_000;
