/**
 * A node with nothing but its limits, in a process of its own: `node valkey-node.ts URL`. Each message of
 * its parent is a number of calls to ask for at once; it answers how many passed, and first that it is there.
 */
import { openCounters } from '../../src/counters/open.ts';
import { Quotas } from '../../src/counters/quotas.ts';
import { systemClock, systemRandom } from '../../src/domain/clock.ts';

const METHOD = { name: 'TokenDetails', callsMax: 200 };
const KEY = { keyId: 'shared', callsMax: {} };

const counters = await openCounters({
  url: process.argv[2],
  // Whether the answers are fast is not what is asked here.
  answerMsMax: 60_000,
  callersMax: 1000,
  clock: systemClock,
  random: systemRandom,
  onChange: ({ isUp, why }) => process.send?.(isUp ? 'up' : `away: ${why}`),
});
const quotas = new Quotas({
  keys: counters.of('key'),
  addresses: counters.of('address'),
  services: counters.of('service'),
  methods: [METHOD],
  addressCallsMax: 200,
  serviceCallsMax: 0,
});
process.on('message', async (calls: number) => {
  const asked = Array.from({ length: calls }, async () => quotas.take(METHOD, KEY));
  const taken = await Promise.all(asked);
  process.send?.(taken.filter((each) => each !== 'full' && each.isAllowed).length);
});
