/** `propusk login` and `logout`: which server commands go to, and as whom. */
import path from 'node:path';
import { type Command, Option } from 'commander';
import { StatusService } from '../src/gen/propusk/admin/v1/status_service_pb.js';
import { addCommand, caOption } from './command.ts';
import { DEFAULT_SERVER, nameOf, readServerUrl } from './connection.ts';
import { unusable } from './failure.ts';
import { loginFile, readLogins, writeLogins } from './login-file.ts';
import { showRole } from './operator.ts';
import { OPERATOR_PREFIX, refuseTypo } from './secret-form.ts';
import { readSecret, type Surroundings } from './surroundings.ts';

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export function addLogin(program: Command, around: Surroundings): void {
  addCommand(program, around, {
    usage: 'login [server]',
    summary: "keep a server's address and an operator's token for the commands that follow",
    about:
      "Keep a server's address and an operator's token for the commands that follow. The token is read " +
      'from standard input or a file, tried, and kept in a file that its owner alone can read.',
    examples: [
      'propusk login < owner.token',
      'propusk login https://propusk.example:9090 --token-file anna.token --ca-file ca.pem',
    ],
    options: [
      new Option('--token-file <file>', "the operator's token (default standard input)"),
      new Option('--api <url>', 'where the same server has its public API, for token details'),
      caOption(),
    ],
    run: async (
      { connection, flags, output },
      given = around.env.PROPUSK_SERVER ?? DEFAULT_SERVER,
    ) => {
      const server = readServerUrl(given);
      const api = flags.text('api');
      const apiName = api === undefined ? undefined : nameOf(readServerUrl(api));
      const token = await readSecret(around, flags.text('tokenFile'), "the operator's token");
      refuseTypo(token, OPERATOR_PREFIX, 'the token');
      if (server.protocol === 'http:' && !LOOPBACK.test(server.hostname)) {
        const warning = `propusk: warning: the token goes to ${server.host} unencrypted\n`;
        around.stderr.write(warning);
      }
      const caFile = flags.text('caFile') ?? around.env.PROPUSK_CA_FILE;
      const status = await connection
        .open(server, token, caFile)
        .call(StatusService.method.getStatus, {});
      const file = loginFile(around.env);
      const { servers } = readLogins(file);
      const login = {
        token,
        ...(caFile !== undefined && { caFile: path.resolve(caFile) }),
        ...(apiName !== undefined && { api: apiName }),
      };
      const name = nameOf(server);
      writeLogins(file, { current: name, servers: { ...servers, [name]: login } });
      const { id = '', role = 0 } = status.operator ?? {};
      const value = { server: name, operator: id, role: showRole(role), file };
      if (output.format !== 'table') output.value(value);
      else output.say(`logged in to ${name} as ${id} (${showRole(role)}); kept in ${file}`);
    },
  });

  addCommand(program, around, {
    usage: 'logout [server]',
    summary: 'forget the token of a server; it works on until it is revoked',
    examples: ['propusk logout'],
    run: async ({ output }, given) => {
      const file = loginFile(around.env);
      const { current, servers } = readLogins(file);
      const name = given === undefined ? current : nameOf(readServerUrl(given));
      if (name === undefined || servers[name] === undefined) {
        throw unusable(name === undefined ? 'not logged in' : `not logged in to ${name}`);
      }
      const { [name]: _, ...others } = servers;
      const isCurrent = name === current || current === undefined;
      writeLogins(file, { ...(!isCurrent && { current }), servers: others });
      output.say(`logged out of ${name}`);
    },
  });
}
