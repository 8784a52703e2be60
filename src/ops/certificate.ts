/** The TLS certificate: the operator's own, or the self-signed one of `--tls`. */
import { webcrypto, X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { FileError, isThere, makeFolder, messageOf, readNeeded, writePrivate } from './files.ts';

const CERTIFICATE_DAYS = 365;
/** How often the files of the certificate are looked at. */
const LOOK_MS = 2000;

export interface TlsFiles {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** Where the certificate lies, for `curl --cacert`. */
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate and its key, checked against each other. */
export function readTls(certFile: string, keyFile: string): TlsFiles {
  const cert = readNeeded(certFile, 'the TLS certificate');
  const key = readNeeded(keyFile, 'the TLS key');
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new FileError(`${certFile} and ${keyFile} are no TLS pair: ${messageOf(error)}`);
  }
  return { cert, key, certFile, keyFile };
}

/**
 * Reads the pair again whenever a file of it has changed, and hands it on if it is good. Files are
 * asked for their times rather than watched, so that a link that is moved is noticed too.
 * @returns ends it
 */
export function followTls(
  { certFile, keyFile }: TlsFiles,
  use: (files: TlsFiles) => void,
  complain: (error: FileError) => void,
): () => void {
  const look = () => {
    try {
      use(readTls(certFile, keyFile));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      complain(error);
    }
  };
  const options = { interval: LOOK_MS, persistent: false };
  for (const file of [certFile, keyFile]) watchFile(file, options, look);
  return () => {
    for (const file of [certFile, keyFile]) unwatchFile(file, look);
  };
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
      // Not an authority: rustls takes no certificate that is both its own authority and a server's.
      new x509.BasicConstraintsExtension(false, undefined, true),
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
