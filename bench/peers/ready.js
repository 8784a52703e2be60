/** Tells the benchmark that a server takes calls, on standard output, in one line. */

/**
 * @param {number} port
 * @param {object} more what the load needs to know
 */
export function ready(port, more = {}) {
  process.stdout.write(`${JSON.stringify({ port, ...more })}\n`);
}
