/**
 * The packages of other platforms in the lock. npm leaves out of a new lock what it could not look
 * up for another platform, and `npm ci` of npm 11 then refuses the lock on every platform.
 */

/** One package of package-lock.json, as much as is used here. */
interface Locked {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
export type LockedPackages = Readonly<Record<string, Locked>>;

const PLATFORM = /(android|darwin|linux|win32)-(arm64|aarch64|armv7|x64)(-musl)?$/;
const CPU: Readonly<Record<string, string>> = { aarch64: 'arm64', armv7: 'arm' };

/** The entries that the lock needs and lacks, by their place in it. */
export function missingPlatforms(packages: LockedPackages): Map<string, object> {
  const missing = new Map<string, object>();
  for (const [place, locked] of Object.entries(packages)) {
    if (place === '') continue;
    for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
      const own = `node_modules/${name}`;
      if (own in packages || `${place}/${own}` in packages) continue;
      const [, os, cpu = '', musl] = PLATFORM.exec(name) ?? [];
      if (os === undefined) throw new Error(`${name} names no platform that is known here`);
      missing.set(own, {
        version,
        cpu: [CPU[cpu] ?? cpu],
        ...(locked.dev === true && { dev: true }),
        ...(musl !== undefined && { libc: ['musl'] }),
        optional: true,
        os: [os],
      });
    }
  }
  return missing;
}
