/** propusk.admin.v1.KeyService: what programs sign in with. */
import { create } from '@bufbuild/protobuf';
import { type Duration, EmptySchema } from '@bufbuild/protobuf/wkt';
import { AppError } from '../../domain/errors.ts';
import { flawOfImportedSecret, IMPORTED_SECRET_CHARS_MAX } from '../../domain/imported-secret.ts';
import type { ApiKey } from '../../domain/model.ts';
import { formatSecret } from '../../domain/secret.ts';
import {
  CreateKeyRequestSchema,
  CreateKeyResponseSchema,
  ImportKeyRequestSchema,
  type KeyService,
  ListKeysResponseSchema,
  RotateKeyRequestSchema,
  RotateKeyResponseSchema,
  Secret,
} from '../../gen/propusk/admin/v1/key_service_pb.js';
import type { ServiceImpl } from '../../pipeline/call.ts';
import type { AdminParts } from './administration.ts';
import { Fields } from './fields.ts';
import { keyShape } from './key-message.ts';
import { ResourceOperations } from './resources.ts';

/** Bits of a secret that we make. */
const SECRET_BYTES = 20;
/** How long a secret may outlive its successor: 30 days. */
const OVERLAP_MS_MAX = 30 * 86_400_000;

export interface KeyParts extends AdminParts {
  /** The methods that have a limit. */
  readonly limitedMethods: readonly string[];
  /** True where any secret may be imported: in dev. */
  readonly takesWeakSecrets: boolean;
}

/** A key that nobody has described yet. */
function blankKey(secretMac: string): Omit<ApiKey, 'id'> {
  return {
    clientId: '',
    label: '',
    secretMac,
    allAccounts: false,
    accountIds: [],
    readonly: false,
    callsMax: {},
    sourceNetworks: [],
    expiresAtMs: null,
    revokedAtMs: null,
    previousSecretMac: null,
    previousSecretEndsAtMs: null,
  };
}

/** Makes the service. */
export function keyService(parts: KeyParts): ServiceImpl<typeof KeyService> {
  const { masterKey, random, clock } = parts;
  const shape = keyShape(parts.limitedMethods);
  const keys = new ResourceOperations(shape, parts);
  const newSecret = () => formatSecret(random(SECRET_BYTES));
  return {
    async createKey(request, call) {
      const secret = newSecret();
      const base = blankKey(masterKey.macOfSecret(secret));
      const asked = { schema: CreateKeyRequestSchema, request, showsSecret: true };
      const { stored, isRepeated } = await keys.create(asked, request.key, base, call);
      const shown = secretOnce(secret, isRepeated);
      return create(CreateKeyResponseSchema, { key: shape.toMessage(stored), ...shown });
    },
    async importKey(request, call) {
      checkImported(request.secret, parts.takesWeakSecrets);
      const base = blankKey(masterKey.macOfSecret(request.secret));
      const asked = { schema: ImportKeyRequestSchema, request };
      const { stored } = await keys.create(asked, request.key, base, call);
      return shape.toMessage(stored);
    },
    async getKey({ id }) {
      return shape.toMessage(await keys.get(id));
    },
    async listKeys(request) {
      const { items, nextPageToken } = await keys.list(request);
      return create(ListKeysResponseSchema, { keys: items, nextPageToken });
    },
    updateKey({ key, updateMask }, call) {
      return keys.update(key, updateMask, call);
    },
    async deleteKey({ id, version }, call) {
      await keys.remove(id, version, call);
      return create(EmptySchema);
    },
    async rotateKey(request, call) {
      const { id, version, overlap } = request;
      const overlapMs = overlapOf(overlap);
      const asked = { schema: RotateKeyRequestSchema, request, showsSecret: true };
      const secret = newSecret();
      const secretMac = masterKey.macOfSecret(secret);
      const rotate = (before: ApiKey): ApiKey => {
        const now = clock.now();
        checkActive(before, now);
        const isOver = overlapMs === 0;
        return {
          ...before,
          secretMac,
          previousSecretMac: isOver ? null : before.secretMac,
          previousSecretEndsAtMs: isOver ? null : now + overlapMs,
        };
      };
      const done = await keys.amend(id, version, 'rotate', call, rotate, asked);
      const shown = secretOnce(secret, done.isRepeated);
      return create(RotateKeyResponseSchema, { key: shape.toMessage(done.stored), ...shown });
    },
    async revokeKey({ id, version }, call) {
      const { stored } = await keys.amend(id, version, 'revoke', call, (before) =>
        before.revokedAtMs === null ? { ...before, revokedAtMs: clock.now() } : undefined,
      );
      return shape.toMessage(stored);
    },
  };
}

/** What an answer holds of a secret: it is shown once. */
function secretOnce(secret: string, isRepeated: boolean) {
  return isRepeated
    ? { secret: '', secretStatus: Secret.ALREADY_SHOWN }
    : { secret, secretStatus: Secret.SHOWN };
}

function checkImported(secret: string, takesWeakSecrets: boolean): void {
  const fields = new Fields();
  if (!takesWeakSecrets) {
    const flaw = flawOfImportedSecret(secret);
    if (flaw !== undefined) fields.refuse('secret', flaw);
  } else if (secret === '') {
    fields.refuse('secret', 'is empty');
  } else if (secret.length > IMPORTED_SECRET_CHARS_MAX) {
    fields.refuse('secret', `has more than ${IMPORTED_SECRET_CHARS_MAX} characters`);
  }
  fields.check();
}

function overlapOf(overlap: Duration | undefined): number {
  if (overlap === undefined) return 0;
  const ms = Number(overlap.seconds) * 1000 + Math.floor(overlap.nanos / 1_000_000);
  const fields = new Fields();
  if (!(ms >= 0 && ms <= OVERLAP_MS_MAX)) fields.refuse('overlap', 'is not from 0 to 30 days');
  fields.check();
  return ms;
}

function checkActive({ revokedAtMs, expiresAtMs }: ApiKey, nowMs: number): void {
  const why =
    revokedAtMs !== null
      ? 'is revoked'
      : expiresAtMs !== null && expiresAtMs <= nowMs
        ? 'has expired'
        : undefined;
  if (why !== undefined) throw new AppError('KEY_NOT_ACTIVE', `the key ${why}; make another one`);
}
