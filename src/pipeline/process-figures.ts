/** What Node counts of this process, for Prometheus: from when they are first asked for. */
import collectDefaultMetrics from 'prom-client/lib/defaultMetrics.js';
import Registry from 'prom-client/lib/registry.js';

/** One for all servers of a process: Node has these figures once. */
export const processFigures = new Registry();
collectDefaultMetrics({ register: processFigures });
