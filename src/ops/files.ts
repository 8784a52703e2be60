/** The data folder's own files: the master key, and the self-signed certificate of `--tls`. */
import { webcrypto, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Random } from '../domain/clock.ts';
import { MASTER_KEY_BYTES, parseMasterKey } from '../domain/master-key.ts';

const CERTIFICATE_DAYS = 365;

/** A file or folder cannot be used; the message is one line that says what and where. */
export class FileError extends Error {}

function messageOf(error: unknown): string {
  return (error as Error).message.split('\n')[0] ?? '';
}

/** Makes the data folder, for its owner alone. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new FileError(`the data folder ${folder} cannot be made: ${messageOf(error)}`);
  }
}

/** Reads a file that must be there. */
export function readNeeded(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new FileError(`${what} cannot be read: ${messageOf(error)}`);
  }
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

/** Writes the whole file or nothing, for its owner alone. */
function writePrivate(file: string, text: string): void {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flush: true });
    renameSync(draft, file);
  } catch (error) {
    throw new FileError(`${file} cannot be written: ${messageOf(error)}`);
  }
}

/** The master key that a file holds. */
export function readMasterKey(file: string): Buffer {
  const key = parseMasterKey(readNeeded(file, 'the master key'));
  if (key === undefined) {
    throw new FileError(`${file} is no master key: it needs 64 hex digits or base64 of 32 bytes`);
  }
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new FileError(`${file} can be read by others; make it private with: chmod 600 ${file}`);
  }
  return key;
}

/** The data folder's master key; the first call makes it (mode 0600). */
export function ownMasterKey(folder: string, random: Random): Buffer {
  makeFolder(folder);
  const file = path.join(folder, 'master.key');
  if (!isThere(file)) writePrivate(file, `${random(MASTER_KEY_BYTES).toString('hex')}\n`);
  return readMasterKey(file);
}

export interface TlsFiles {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** Where the certificate lies, for `curl --cacert`. */
  readonly certFile: string;
}

/** The operator's own certificate and key, checked against each other. */
export function readTls(certFile: string, keyFile: string): TlsFiles {
  const cert = readNeeded(certFile, '--tls-cert');
  const key = readNeeded(keyFile, '--tls-key');
  return { cert, key, certFile };
}

/** The self-signed pair under the data folder, made anew when it is missing, old or for another name. */
export async function selfSigned(folder: string, name: string, nowMs: number): Promise<TlsFiles> {
  makeFolder(folder);
  const certFile = path.join(folder, 'tls.crt');
  const keyFile = path.join(folder, 'tls.key');
  if (!isThere(certFile) || !isThere(keyFile) || !isGood(certFile, name, nowMs)) {
    const made = await makeCertificate(name, nowMs);
    writePrivate(keyFile, made.key);
    writePrivate(certFile, made.cert);
  }
  return readTls(certFile, keyFile);
}

function isGood(certFile: string, name: string, nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(readFileSync(certFile));
    const isNamed = net.isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name);
    return isNamed !== undefined && Date.parse(certificate.validTo) - nowMs > 86_400_000;
  } catch {
    return false;
  }
}

async function makeCertificate(
  name: string,
  nowMs: number,
): Promise<{ cert: string; key: string }> {
  // Loaded here: it is large, and only ever needed once for a data folder.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const names = [...new Set([name, 'localhost', '127.0.0.1', '::1'])];
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    notBefore: new Date(nowMs - 3_600_000),
    notAfter: new Date(nowMs + CERTIFICATE_DAYS * 86_400_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: net.isIP(value) ? 'ip' : 'dns', value })),
      ),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const lines = pkcs8
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n');
  return {
    cert: `${certificate.toString('pem')}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`,
  };
}
