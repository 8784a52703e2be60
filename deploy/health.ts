/**
 * Asks the server on this machine whether it takes calls: exit code 0, or 1. For HEALTHCHECK, since the image has
 * no curl. The port is that of PROPUSK_INTERNAL_LISTEN.
 */
const [port = '9090'] = /\d+$/.exec(process.env.PROPUSK_INTERNAL_LISTEN ?? '') ?? [];

try {
  const { ok } = await fetch(`http://127.0.0.1:${port}/readyz`, {
    signal: AbortSignal.timeout(4000),
  });
  process.exit(ok ? 0 : 1);
} catch {
  process.exit(1);
}
